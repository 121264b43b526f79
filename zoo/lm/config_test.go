package lm

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func TestLanguageModelConfigErrors(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"hidden is 0":                  func(c *Config) { c.Hidden = 0 },
		"hidden is -1":                 func(c *Config) { c.Hidden = -1 },
		"hidden is 1099511627776":      func(c *Config) { c.Hidden = 1 << 40 },
		"2³¹−1 elements":               func(c *Config) { c.Hidden = 1 << 20 },
		"layers is -1":                 func(c *Config) { c.Layers = -1 },
		"layers is 2147483648":         func(c *Config) { c.Layers = 1 << 31 },
		"embed is -1":                  func(c *Config) { c.Embed = -1 },
		"embed is 9223372036854775807": func(c *Config) { c.Embed = math.MaxInt },
		"cell is \"lstn\"":             func(c *Config) { c.Cell = "lstn" },
		"level is \"sentence\"":        func(c *Config) { c.Level = "sentence" },
		"tied: embed is 5":             func(c *Config) { c.Tied, c.Embed = true, 5 },
		"embed_std is -1":              func(c *Config) { c.EmbedStd = -1 },
		"spaced": func(c *Config) {
			c.Level, c.Spaced = "char",
				true
		},
		"no BPE is given":       func(c *Config) { c.Level = "bpe" },
		"and the level is \"\"": func(c *Config) { c.BPE = &text.BPE{} },
		"no tokeniser \"ja\"":   func(c *Config) { c.Level = "ja" },
		"no output layer of the embedding's shape": func(c *Config) {
			c.Tied, c.Cutoffs = true,
				[]int{3}
		},
		"div is set": func(c *Config) { c.Div = 2 },
		"Div is 0.5": func(c *Config) {
			c.Cutoffs, c.Div = []int{3},
				0.5
		},
		"cutoffs are [5 5]": func(c *Config) { c.Cutoffs = []int{5, 5} },
		"cutoffs are [4 11]": func(c *Config) {
			c.Cutoffs = []int{4,
				lmTokens}
		},
		"keep_case": func(c *Config) {
			c.Level, c.KeepCase = "char",
				true
		},
		"io_dropout is 1":            func(c *Config) { c.IODropout = 1 },
		"dropout is -0.1":            func(c *Config) { c.Dropout = -0.1 },
		"hidden_dropout is NaN":      func(c *Config) { c.HiddenDropout = math.NaN() },
		"zoneout is +Inf":            func(c *Config) { c.Zoneout = math.Inf(1) },
		"no option \"activation\"":   func(c *Config) { c.Cell = "gru,activation=relu" },
		"no option \"reset_before\"": func(c *Config) { c.Cell = "lstm,reset_before" },
		"Activation is \"gelu\"":     func(c *Config) { c.Cell = "rnn,activation=gelu" },
		"Peephole is \"some\"":       func(c *Config) { c.Cell = "lstm,peephole=some" },
		"cell names 2 layers": func(c *Config) {
			c.Cell, c.Layers = "gru/lstm",
				3
		},
		"the cell \"\" is not":    func(c *Config) { c.Cell = "gru/" },
		"hidden is \"0\", want 1": func(c *Config) { c.Cell = "gru,hidden=0" },
		"zoneout is 0":            func(c *Config) { c.ZoneoutParts = "h" },
		"rates of the parts [c]": func(c *Config) {
			c.Zoneout,
				c.ZoneoutParts = 0.1, "c"
		},
		"by no matrix": func(c *Config) {
			c.Cell,
				c.HiddenDropout = "mingru", 0.1
		},
		"layer 1 is 4 wide": func(c *Config) {
			c.Cell,
				c.Residual = "gru/gru,hidden=4", true
		},
	} {
		c := smallGRU
		change(&c)
		v := newLM(t, smallGRU).Vocabulary()
		m, err := New(c, v, 1)
		require.ErrorContains(t, err, want)
		require.Nil(t, m)
	}
	c := Config{Recurrent: zoo.Recurrent{Cell: "x", Layers: -1, Dropout: 2}, Embed: -1}
	for range 20 {
		require.Equal(t, c.Validate().Error(), c.Validate().Error(), "in one order")
	}
	_, err := New(smallGRU, nil, 1)
	require.ErrorContains(t, err, "at least 2 tokens")
}

// Every option trains a few steps, and the loss falls.
func TestLanguageModelOptions(t *testing.T) {
	for name, cfg := range map[string]Config{
		"defaults": {Recurrent: zoo.Recurrent{Hidden: 8}},
		"smallest": {Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 1}, Embed: 1},
		"tied":     {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8}, Tied: true},
		"char": {Recurrent: zoo.Recurrent{Cell: "lstm", Hidden: 8}, Level: "char",
			Embed: 3},
		"zoneout":        {Recurrent: zoo.Recurrent{Cell: "lstm", Hidden: 8, Zoneout: 0.2}},
		"hidden dropout": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8, HiddenDropout: 0.2}},
		"both": {Recurrent: zoo.Recurrent{Cell: "rnn,activation=sigmoid", Hidden: 8,
			HiddenDropout: 0.1, Zoneout: 0.1}},
		"residual": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8, Layers: 3,
			Residual: true, Dropout: 0.1}, IODropout: 0.1},
		"reset before": {Recurrent: zoo.Recurrent{Cell: "gru,reset_before", Hidden: 8}},
		"peephole":     {Recurrent: zoo.Recurrent{Cell: "lstm,peephole=full,coupled", Hidden: 8}},
		"adaptive": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8, Dropout: 0.1},
			IODropout: 0.1, Cutoffs: []int{3, 7}, Div: 2},
		"normal": {Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 8}, EmbedStd: 1},
		"layer norm": {Recurrent: zoo.Recurrent{Cell: "lstm,layer_norm=gates,peephole=diagonal",
			Hidden: 8}},
	} {
		for _, strategy := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
			t.Run(fmt.Sprint(name, " ", strategy), func(t *testing.T) {
				m := newLM(t, cfg)
				task, err := m.Task(Data{Train: lmText, Valid: lmText, Batch: 7,
					Window: unroll.Window{Stride: 7, Length: 9}, Unroll: strategy})
				require.NoError(t, err)
				before, err := m.Perplexity(context.Background(), lmText)
				require.NoError(t, err)
				adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
				require.NoError(t, err)
				r, err := train.Fit(context.Background(), task,
					train.Config{Optimizer: adam, Epochs: 3})
				require.NoError(t, err)
				require.Equal(t, 3*15, r.Steps)
				_, after := r.History.Column("valid_perplexity")
				require.Less(t, after[2], before)
				_, loss := r.History.Column("valid_loss")
				require.InDelta(t, after[2], math.Exp(loss[2]), 1e-9)
			})
		}
	}
}
