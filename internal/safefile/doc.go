// Package safefile replaces files so that a crash at any moment leaves the old content or the new, whole.
//
// The new content goes into a temporary file in the same directory, which is synced, renamed over the old file,
// and made durable by a sync of the directory. What a crash leaves of a temporary file, Clean removes.
package safefile
