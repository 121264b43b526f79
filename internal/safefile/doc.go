// Package safefile replaces files so that a crash at any moment leaves the old content or the new,
// whole, and opens only what is a file.
//
// The new content goes into a temporary file in the same directory, which is synced, renamed over
// the old file, and made durable by a sync of the directory. Clean removes temporary
// files that a crash has left. A link at the file's name is replaced, never followed.
//
// Open is for every path that a user or another file names: it refuses pipes, devices, sockets and
// directories at once.
package safefile
