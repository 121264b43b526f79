// Word2vec learns vectors of words from a text, evaluates them, and answers with them on standard
// input.
package main

import "github.com/seqzoo/seqzoo/examples/cli"

// program is made anew for each run: flags write into what its commands hold.
func program() cli.Program {
	return cli.Program{
		Name: "word2vec", Lesson: "07-word2vec",
		About: `Learns vectors of words from a text, evaluates them, and answers with them.

    go run ./examples/word2vec train -data novel.txt -save DIR
    go run ./examples/word2vec evaluate -model DIR -analogies questions-words.txt -pairs wordsim353.txt
    go run ./examples/word2vec similar -model DIR      reads words, a line for each question: king
    go run ./examples/word2vec analogy -model DIR      reads three words a line: man king woman
    go run ./examples/word2vec export -model DIR -to FILE -format text|binary|glove

-model also takes a file of vectors in word2vec's text or binary form or in GloVe's. Without -data, and for evaluate
without files, WikiText-2 and word-eval are looked for in the folder that SEQZOO_DATA names, else in ../shared/data.
Ctrl-C stops a training; with -save, the same command goes on from there.`,
		Commands: []cli.Command{trainCommand(), evaluateCommand(), similarCommand(),
			analogyCommand(), exportCommand()},
	}
}

func main() { program().Main() }
