// Package seq2seq holds models that read one sequence of tokens and write another one:
// translation, spelling out, copying. An encoder reads the source (in both directions, if
// Bidirectional); a decoder writes the target, and may look back at the source by the attention of
// Bahdanau or of Luong.
//
//	source, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}},
//		[]string{"a", "b", "c"})
//	target, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.BOS, text.EOS}},
//		[]string{"x", "y", "z"})
//	model, err := seq2seq.New(seq2seq.Config{
//		Encoder:       zoo.Recurrent{Cell: "gru", Hidden: 64},
//		Bidirectional: true,
//		Attention:     seq2seq.BahdanauAttention,
//	}, source, target, 1)
//	pairs, err := model.Pairs([][]string{{"a", "b"}}, [][]string{{"y", "x"}})
//	task, err := model.Task(seq2seq.Data{Train: pairs}) // for train.Fit
//	found, err := model.Translate(context.Background(), []string{"b", "c"}, decode.SearchOptions{Beam: 5})
//
// [Config] describes a model, [New] makes one, [Load] reads one that Save has written. Pairs
// brings tokens to ids, [Data] is what Task trains on, and Translate and TranslateAll search for
// the best target, greedily, by a beam or by sampling. [Graph] is what Forward builds, for those
// who want to see the attention or to add a loss of their own.
//
// Words that no vocabulary has, such as names, are copied from the source by a model whose
// configuration has Copy, a pointer-generator (See, Liu and Manning, 2017): it learns at each step
// whether to write a word or to copy one that it attends to. Its losses and log-probabilities are
// of the vocabulary and the words of the source together. Without it, unknown words can be
// numbered (text.Copies), or be taken by the alignment (decode.SearchOptions.CopyUnknown).
//
// A model may be used by many goroutines at once.
package seq2seq
