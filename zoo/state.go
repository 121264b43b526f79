package zoo

import "github.com/seqzoo/seqzoo/zoo/internal/shared"

// State is how far a model has come in what it reads or writes step by step, as a value that can be
// forked, kept as bytes, and gone on from: see the sessions of lm, label and forecast, the Writing
// of seq2seq and the Conversation of dialogue.
type State = shared.State
