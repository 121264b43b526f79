package main

// preset is a task with the settings that suit it: data files, and values of flags.
type preset struct {
	about        string
	train, valid string // of the data sets; no valid: the last tenth of train
	flags        string // as on the command line
}

const wikitext = "-level word -spaced -keep-case -layers 2 -hidden 200 -dropout 0.2 -batch 20 " +
	"-window 35 -epochs 6 -optimizer sgd -lr 20 -clip 0.25 -schedule cosine -validate 40000"

const blocks = "block,dropout=0.2/block,dropout=0.2/block,dropout=0.2,last"

var presets = map[string]preset{
	"shakespeare": {"characters of tiny-shakespeare, 2 layers of 128, averaged weights",
		"tiny-shakespeare/input.txt.gz", "",
		"-level char -layers 2 -hidden 128 -batch 50 -window 50 -epochs 14 -lr 0.002 " +
			"-schedule constant -init uniform -embed-std 1 -average 0.998"},
	"shakespeare-bpe": {"pieces of tiny-shakespeare", "tiny-shakespeare/input.txt.gz", "",
		"-level bpe -bpe-size 2000 -layers 1 -hidden 256 -tied -batch 32 -window 35 -epochs 5 " +
			"-lr 0.003 -warmup 50 -dropout 0.3 -clip 1"},
	"shakespeare-large": {"the same with 2 layers of 256 and dropout",
		"tiny-shakespeare/input.txt.gz", "",
		"-level char -layers 2 -hidden 256 -batch 50 -window 50 -epochs 10 -lr 0.003 " +
			"-schedule cosine -warmup 100 -dropout 0.25 -clip 1 -embed-std 1"},
	"shakespeare-mingru": {"three blocks around minGRU, as wide as those of Feng et al., 2024",
		"tiny-shakespeare/input.txt.gz", "",
		"-level char -cell " + blocks + " -layers 3 -hidden 384 -batch 64 -window 256 -epochs 6 " +
			"-lr 0.001 -schedule cosine -warmup 50 -clip 1 -embed-std 1 -validate 20000"},
	"wikitext2": {"words of WikiText-2, a softmax over all 33,278", "wikitext-2/train.txt.gz",
		"wikitext-2/valid.txt.gz",
		wikitext + " -tied"},
	"wikitext2-sampled": {"the same, trained on a sampled softmax", "wikitext-2/train.txt.gz",
		"wikitext-2/valid.txt.gz",
		wikitext + " -tied -sampled 2000"},
	"wikitext2-adaptive": {"the same with an adaptive softmax", "wikitext-2/train.txt.gz",
		"wikitext-2/valid.txt.gz",
		wikitext + " -cutoffs 2000,10000"},
	"neko-words": {"Japanese words of the same book", "neko/neko.txt", "",
		"-level ja -layers 1 -hidden 200 -tied -batch 32 -window 35 -epochs 6 -lr 0.003 " +
			"-warmup 50 -dropout 0.3 -clip 1 -min-count 3"},
	"neko": {"Japanese characters: I Am a Cat", "neko/neko.txt", "",
		"-level char -layers 2 -hidden 256 -batch 32 -window 50 -epochs 6 -lr 0.003 " +
			"-schedule cosine -warmup 50 -dropout 0.3 -clip 1 -min-count 2"},
}
