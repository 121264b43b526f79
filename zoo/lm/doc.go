// Package lm holds language models: a recurrent network that reads tokens and says which comes
// next. Tokens are words, characters, byte pairs or Japanese words, as package text cuts them.
//
//	novel, err := text.ReadFile("novel.txt")
//	tokens, err := text.Words{Lower: true, Lines: true}.Tokens(novel)
//	words, err := text.NewVocabulary(text.VocabularyConfig{
//		MinCount: 3, Specials: []string{text.Unk},
//	}, tokens)
//	model, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 32}}, words, 1)
//	ids, err := words.Encode(tokens)
//	task, err := model.Task(lm.Data{Train: ids}) // for train.Fit
//	next, _, err := model.Next("it was a", 5)
//
// [Config] describes a model, [New] makes one, [Load] reads one that Save has written. [Data] is
// what Task trains on: a text, read in windows whose state is carried on. [Model] then measures
// (Perplexity, Measure, LogProbs), continues a text (Next, Generate) and advances token by token
// ([Session]). The output layer is a full softmax, or an adaptive one for large vocabularies; a
// training may use a sampled one (Data.Sampled).
//
// A model may be used by many goroutines at once; a Session is for one.
package lm
