// Package dialogue holds models that answer in a dialogue and remember all of its turns: HRED, the
// hierarchical recurrent encoder-decoder (Sordoni et al., 2015; Serban et al., 2016), and VHRED,
// with a latent variable for each reply (Serban et al., 2017). An encoder reads the words of a
// turn, a second recurrent network reads the turns, and a decoder writes the next one.
//
//	words, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.BOS, text.EOS}},
//		[]string{"hello", "bye"})
//	model, err := dialogue.New(dialogue.Config{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 64}}, words, 1)
//	one, err := model.Dialogue([][]string{{"hello"}, {"hello"}, {"bye"}})
//	task, err := model.Task(dialogue.Data{Train: []dialogue.Dialogue{one}}) // for train.Fit
//	talk := model.NewConversation()
//	err = talk.Read([]string{"hello"})
//	replies, err := talk.Reply(context.Background(), dialogue.ReplyOptions{Beam: 5})
//
// [Config] describes a model, [New] makes one, [Load] reads one that Save has written. The field
// Latent makes it a VHRED, and with the field Copy it says words again that its vocabulary lacks,
// such as names. [Data] is what Task trains on. Reply answers a whole dialogue, a
// [Conversation] keeps the state between turns, and Evaluate gives a [Score]: the perplexity of
// turns, for VHRED by a bound.
//
// A model may be used by many goroutines at once; a Conversation is for one.
package dialogue
