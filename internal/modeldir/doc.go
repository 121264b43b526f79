// Package modeldir keeps a model as a directory of files that a person and other programs can read:
// model.safetensors with the weights, config.json, and what else the model needs under a name that
// says what it is. One step replaces them all.
//
// # The step
//
// The weights say, in their metadata, what the other files hash to. So they are the manifest, and
// the rename that puts new weights in the place of the old ones is the step from one model to the
// next:
//
//  1. Files that differ from those of the directory are written beside them, under names that hold their hash.
//  2. The weights are replaced. From here on the directory holds the new model.
//  3. The files of 1 are renamed to their own names, and files that only the old model had are removed.
//
// A crash before 2 leaves the old model, and one after it the new one, of which some files may
// still have the names that they were given in 1: Open finds them by their hash. The next Save
// finishes, or clears away, what a crash has left. A directory in which nothing happens holds plain
// names only.
//
// # Readers
//
// Open holds the weights open, which keeps them readable when they are replaced, and takes the
// files that belong to them. If a Save has taken those away in the meantime, Open begins anew with
// the weights that are there now. So it succeeds during any number of saves, and what it gives
// belongs together.
//
// # Other places
//
// OpenFS reads from any file system, and OpenMemory from memory. Write makes a model one file, a
// zip archive of the files of its directory, which Open, OpenFS and Read take too.
package modeldir
