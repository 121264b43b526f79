// Package word2vec learns vectors of words from text (Mikolov, Chen, Corrado and Dean, 2013;
// Mikolov et al., 2013).
//
// Every word w has a vector v_w, which is the result, and every output an own vector u. For a pair
// of a word and a neighbour, skip-gram makes the one's outputs likely given h = v of the other;
// CBOW makes the word's outputs likely given h = the mean of v over all its neighbours. An output o
// with label y (1 or 0) has the loss
//
//	−y·log σ(h·u_o) − (1−y)·log(1 − σ(h·u_o))
//
// With negative sampling the outputs are the word itself (y = 1) and words drawn from count^0.75 (y
// = 0); with the hierarchical softmax (Morin and Bengio, 2005) they are the inner nodes on the path
// to the word in a Huffman tree.
//
// # Training
//
// [Model.Train] is plain stochastic gradient descent, one output at a time, on as many cores as
// there are (a hierarchical softmax on one). On one instruction set ([Model.Instructions]) its
// result depends on the text and the configuration alone: any number of workers gives the same
// bits, as does a training that was stopped and went on. See docs/design/0005-word2vec.md for how.
// TrainOptions.LockFree is the field's way, without locks: it uses all cores with either output,
// and gives the same bits up.
//
// A text that need not fit in memory comes sentence by sentence, as text.Sentences gives those of a
// file: [NewFrom], [Model.TrainFrom] and [Model.ExtendFrom] have the outcome, to the bit, that New,
// Train and Extend have of the same sentences, and keep 4 bytes a word of it.
//
// As in the original tool, CBOW adds the gradient of h to the vector of every neighbour without
// dividing it by their number, so a vector's step is that number times the gradient.
//
// # Network
//
// [Network] is the same model as a symbolic graph, in which all sizes of batches and the full
// softmax are possible. The tests hold the trainer to its gradients.
package word2vec
