// Package label holds models that name what a sequence is, or what each of its steps is. A
// [Classifier] gives one label to a sequence: a topic, a digit. A [Tagger] gives one to each step:
// a part of speech, the punctuation behind a word. Steps are tokens, or vectors of features.
//
//	tokens, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}},
//		[]string{"good", "bad", "film"})
//	labels, err := text.NewVocabulary(text.VocabularyConfig{}, []string{"praise", "blame"})
//	model, err := label.NewClassifier(label.ClassifierConfig{Config: label.Config{
//		Recurrent:     zoo.Recurrent{Cell: "gru", Hidden: 32},
//		Bidirectional: true,
//	}}, tokens, labels, 1)
//	example, err := model.EncodeLabelled([]string{"good", "film"}, "praise")
//	task, err := model.Task(label.Data{Train: []label.Labelled{example}}) // for train.Fit
//	sequence, err := model.Encode([]string{"bad", "film"})
//	prediction, err := model.Predict(sequence)
//
// [Config] is what the two share; [NewClassifier] and [NewTagger] make models, [LoadClassifier]
// and [LoadTagger] read those that Save has written. Encode and EncodeLabelled bring tokens to a
// [Sequence] and to a [Labelled] one, [Data] is what Task trains on. Predict and PredictAll give a
// [Prediction] with the probabilities of all labels, Evaluate an [Evaluation] of labelled
// examples.
//
// A [Joint] gives a sequence a label and each of its steps a tag, by two heads over layers that
// both share, such as the intent of a sentence and its slots:
//
//	tags, err := text.NewVocabulary(text.VocabularyConfig{}, []string{"O", "B-film"})
//	both, err := label.NewJoint(label.JointConfig{
//		Config:    label.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 32}},
//		TagWeight: 0.5,
//	}, tokens, labels, tags, 1)
//	tagged, err := both.EncodeLabelled([]string{"good", "film"}, "praise", []string{"O", "B-film"})
//	learning, err := both.Task(label.JointData{Train: []label.JointLabelled{tagged}}) // for train.Fit
//
// A model may be used by many goroutines at once.
package label
