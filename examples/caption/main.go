// Caption learns to say in words what a picture of digits shows, and for each word where it looked.
package main

import (
	"flag"

	"github.com/seqzoo/seqzoo/examples/cli"
)

const about = `Says in words what a picture shows: scenes of two or three digits, such as "a three above a seven".

    go run ./examples/caption train -save DIR                     some 20 minutes on one core
    go run ./examples/caption evaluate -model DIR                 on scenes made of MNIST's test images
    go run ./examples/caption scenes -part test -n 10 -data some.idx -sentences some.txt
    go run ./examples/caption caption -model DIR -draw MAPS       reads a picture a line: photo.png, or some.idx 3

Scenes are made of MNIST's images, from the folder that SEQZOO_DATA names, else ../shared/data; train and evaluate also
take pictures of your own, of any one size, with a sentence a line: -data FILE.idx -sentences FILE.txt. With -draw the
program draws where each word looked. Ctrl-C stops a training; with -save, the same command goes on from there.`

func main() { program().Main() }

func program() cli.Program {
	return cli.Program{Name: "caption", About: about, Lesson: "13-captions",
		Commands: []cli.Command{
			trainCommand(), evaluateCommand(), captionCommand(), scenesCommand(),
		}}
}

// files are flags that name scenes.
type files struct{ pictures, sentences string }

func (p *files) register(f *flag.FlagSet, does string) {
	cli.DataFlag(f, &p.pictures, "of pictures in IDX form "+does)
	cli.OldNames(f, "pictures", "data")
	f.StringVar(&p.sentences, "sentences", "", "`file` of their sentences, a line each")
}

func (p *files) check() error {
	if (p.pictures == "") != (p.sentences == "") {
		return cli.Usagef("-data and -sentences go together")
	}
	return nil
}
