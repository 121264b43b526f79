// Package caption holds models that describe a picture in words, and show for each word where they
// looked (soft attention; Xu et al., 2015). A picture is cut into patches that overlap; a layer
// reads each patch, and a decoder attends to the patches while it writes.
//
//	words, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.BOS, text.EOS}},
//		[]string{"a", "seven"})
//	model, err := caption.New(caption.Config{
//		Height: 56, Width: 56, Patch: 28,
//		Decoder: zoo.Recurrent{Cell: "gru", Hidden: 128},
//	}, words, 1)
//	picture := image.NewGray(image.Rect(0, 0, 56, 56))
//	ids, err := words.Encode([]string{"a", "seven"})
//	task, err := model.Task(caption.Data{
//		Train: []caption.Captioned{{Picture: picture, Caption: ids}},
//	}) // for train.Fit
//	captions, err := model.Caption(context.Background(), picture, decode.SearchOptions{Beam: 3})
//
// [Config] describes a model, [New] makes one, [Load] reads one that Save has written. [Data] is
// what Task trains on: pictures, each with a caption ([Captioned]). Caption and CaptionAll search
// for captions, and a [Caption] has the map of where each word looked.
//
// A model may be used by many goroutines at once.
package caption
