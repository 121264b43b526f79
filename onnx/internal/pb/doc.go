// Package pb is ONNX's schema as Go types, made by protoc-gen-go 1.36.12 from onnx.proto of ONNX
// 1.12 (Debian's python3-onnx). In the schema the package is renamed to seqzoo.onnx, since a
// program may link another copy of ONNX's types and the names of messages are global. Bytes do not
// depend on the name.
package pb
