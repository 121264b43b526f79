// Package text turns text into token ids and back: files, tokenisers and vocabularies.
//
// The way in is [ReadFile], a [Tokeniser] ([Words], [Chars], a [BPE] that [TrainBPE] learned, or one that another
// package registered, see [Register]), [NewVocabulary] and [Vocabulary.Encode]; the way out
// is [Vocabulary.Decode] and the tokeniser's Join.
//
// # Errors
//
// Text must be UTF-8. Text that is not gives an [*EncodingError] with the line and the offset of the first bad byte.
// A byte order mark at the start is dropped, and the line ends \r\n and \r count as \n. Text is not brought to a Unicode
// normal form: é written as one rune and as two are two tokens.
package text
