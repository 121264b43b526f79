package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/images"
)

func captionCommand() cli.Command {
	var model, maps string
	var o decode.SearchOptions
	return cli.Command{
		Name: "caption", About: "reads paths of pictures, a line each, and says what they show",
		Flags: func(f *flag.FlagSet) {
			cli.ModelFlag(f, &model, "")
			cli.DrawFlag(f, &maps, "", "into this `folder` where each word looked")
			cli.OldNames(f, "map", "draw")
			cli.BeamFlag(f, &o.Beam, 1)
		},
		Check: func() error { return cli.Required("model", model) },
		Run: func(ctx context.Context, s cli.Std) error {
			m, err := caption.Load(model)
			if err != nil {
				return err
			}
			cut, err := m.Config().Text.Tokeniser()
			if err != nil {
				return err
			}
			if maps != "" {
				if err := os.MkdirAll(maps, 0o777); err != nil {
					return err
				}
			}
			sets := map[string]*images.Set{}
			return cli.EachLine(ctx, s.In, s.Messages, func(n int, line string, err error) error {
				if err != nil || strings.TrimSpace(line) == "" {
					return err
				}
				p, err := openPicture(sets, line)
				if err != nil {
					return err
				}
				c, err := m.Caption(ctx, p, o)
				if err != nil {
					return err
				}
				fmt.Fprintln(s.Out, cut.Join(c[0].Tokens))
				if maps == "" {
					return nil
				}
				return drawFile(filepath.Join(maps, fmt.Sprintf("%d.svg", n)), m, p, c[0])
			})
		},
	}
}

// openPicture reads what a line names: a PNG, JPEG or GIF, or a file in IDX form and the number of
// a picture in it, from
// 0. Sets keeps the IDX files that were read.
func openPicture(sets map[string]*images.Set, line string) (image.Image, error) {
	path := strings.TrimSpace(line)
	if at := strings.LastIndexAny(path, " \t"); at > 0 {
		if i, err := strconv.Atoi(path[at+1:]); err == nil {
			path = strings.TrimSpace(path[:at])
			set := sets[path]
			if set == nil {
				if set, err = images.Read(path); err != nil {
					return nil, err
				}
				sets[path] = set
			}
			if i < 0 || i >= set.Len() {
				return nil, fmt.Errorf("%s has pictures 0 … %d, not %d", path, set.Len()-1, i)
			}
			return picture(set, i), nil
		}
	}
	f, err := cli.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; PNG, JPEG and GIF are read, and IDX with the number of a "+
			"picture behind it", path, err)
	}
	if c.Width > caption.MaxPicture || c.Height > caption.MaxPicture {
		return nil, fmt.Errorf("%s is %d × %d pixels; the limit is %d", path, c.Width, c.Height,
			caption.MaxPicture)
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil, err
	}
	p, _, err := image.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func scenesCommand() cli.Command {
	var to files
	part, n, seed := "train", 100, uint64(1)
	return cli.Command{
		Name: "scenes", About: "makes scenes of MNIST's images and writes them to files",
		Flags: func(f *flag.FlagSet) {
			to.register(f, "to write")
			f.StringVar(&part, "part", part, "train, valid or test: the images they are made of")
			f.IntVar(&n, "n", n, "how many")
			cli.SeedFlag(f, &seed, seed, "the scenes")
		},
		Check: func() error {
			errs := []error{cli.Required("data", to.pictures, "sentences", to.sentences)}
			if n < 1 || n > 1<<20 {
				errs = append(errs, fmt.Errorf("-n is %d; want 1 … %d", n, 1<<20))
			}
			if part != "train" && part != "valid" && part != "test" {
				errs = append(errs, fmt.Errorf("-part is %q; want train, valid or test", part))
			}
			return errors.Join(errs...)
		},
		Run: func(_ context.Context, s cli.Std) error {
			digits, err := mnist(part)
			if err != nil {
				return err
			}
			scenes, err := makeScenes(digits, rng.New(seed).Named("scenes").Named(part), n)
			if err != nil {
				return err
			}
			if err := writeScenes(to.pictures, to.sentences, scenes); err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "%d scenes in %s and %s\n", n, to.pictures, to.sentences)
			return nil
		},
	}
}
