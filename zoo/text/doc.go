// Package text turns text into token ids and back: files, tokenisers and vocabularies.
//
// The way in is [ReadFile], a [Tokeniser] ([Words], [Chars], a [BPE] that [TrainBPE] learned, or
// one that another package registered, see [Register]), [NewVocabulary] and [Vocabulary.Encode];
// the way out is [Vocabulary.Decode] and the tokeniser's Join. A text that need not fit in memory
// comes line by line from [Sentences], of which [NewVocabularyFrom] makes a vocabulary.
//
// # Lines
//
// A line ends with \n or with \r\n, in files, in standard input that [LineReader] reads, and in
// what a tokeniser is given. Nothing else ends one: a carriage return within a line is a space, and
// U+2028, U+2029, U+0085, the vertical tab and the form feed are white space like any other, so
// that line 7 of one file is beside line 7 of the other. Only in a file without a single \n a
// carriage return ends a line, as old Macintosh computers wrote them. A file with a byte 0 is no
// text, and is refused.
//
// # Errors
//
// Text must be UTF-8. Text that is not gives an [*EncodingError] with the line and the offset of
// the first bad byte. A byte order mark at the start is dropped. Text is brought to a Unicode
// normal form only where a [Form] is chosen: without one, é written as one rune and as two are two
// tokens.
package text
