// Package emoji learns vectors of emoji from their descriptions (emoji2vec; Eisner et al., 2016):
// an emoji comes to lie where the words of its descriptions lie, among the vectors of words, so
// that sums of both can be asked for.
//
//	words, err := vectors.New([]string{"crying", "face"}, 2, []float32{1, 0, 0, 1})
//	pairs := []emoji.Pair{{Phrase: "crying face", Emoji: "😭", Match: true}}
//	model, err := emoji.New(emoji.Config{Negatives: 1, Mean: true}, words, pairs)
//	task, err := model.Task(emoji.Data{Train: pairs}) // for train.Fit
//	near, _, err := model.Similar([]string{"😭", "face"}, nil, 5)
//
// [Config] describes a model, [New] makes one over vectors of words, [Load] reads one that Save
// has written; [ReadPairs] and [ParsePairs] read descriptions as [Pair]. [Data] is what Task
// trains on. Similar gives the nearest emoji and words to a sum, Probability says how well a
// phrase describes an emoji, and Evaluate measures that as a [Score]. An emoji that nobody
// described is a [NoDescriptionError].
//
// A model may be used by many goroutines at once.
package emoji
