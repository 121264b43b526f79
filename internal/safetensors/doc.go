// Package safetensors reads and writes the safetensors format
// (https://huggingface.co/docs/safetensors): eight bytes with the length of a JSON header, the
// header, and the values of all tensors, little-endian, row-major, without a gap.
//
// # Untrusted files
//
// Every length is compared with the bytes left before anything is allocated, every product is
// checked, and what breaks a rule is refused with one of the named errors: a file never makes Read
// panic, nor allocate more than twice the file's size and 64 kB. That bound is why the header has a
// scanner of its own: encoding/json spends ten times the size of a header of small tokens, and
// keeps the last of two equal names without a word.
//
// # Checksum
//
// Write puts a SHA-256 of the whole file into the metadata, where the format has room for it, and
// Read refuses a file in which any byte has changed since. Files without it, such as PyTorch's,
// load too; File.Checked tells.
package safetensors
