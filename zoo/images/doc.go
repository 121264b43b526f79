// Package images reads and writes the IDX files in which MNIST and its relatives come, and draws
// images side by side.
//
//	train, err := images.ReadLabelled("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
//	x := train.Floats() // [N, Rows·Cols] in 0…1
//
// An IDX file is a header of big-endian numbers (a magic number with the type of the elements and
// the number of dimensions, then the dimensions) followed by the elements. Images are unsigned
// bytes in three dimensions, labels in one (LeCun and Cortes, 1998). Files may be compressed by
// gzip.
//
// # Errors
//
// Every error names the file: one that is missing, empty or no regular file, of another format,
// with other dimensions, shorter or longer than its header says. Sizes are compared with what the
// file holds before memory is taken for them, so that a header that lies costs nothing: reading
// takes at most twice the bytes that the file holds (expanded, when it is compressed, and the
// decompressor's own) and 64 kB.
package images
