package onnx

import (
	"strings"

	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

// unbounded is the number of operands of an operator that takes any.
const unbounded = 1<<31 - 1

// operands are how many operands each operator must have, the first ones, and how many it may have,
// over all of its versions.
var operands = func() map[string][2]int {
	all := map[string][2]int{}
	for n, names := range map[[2]int]string{
		{0, 0}:         "Constant",
		{0, unbounded}: "Loop Scan",
		{1, 1}: "Abs Acos Acosh ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BitwiseNot Cast " +
			"Ceil Celu ConstantOfShape Cos Cosh DepthToSpace DynamicQuantizeLinear Elu Erf Exp " +
			"EyeLike Flatten Floor Gelu GlobalAveragePool GlobalMaxPool HardSigmoid HardSwish " +
			"Hardmax Identity If IsInf IsNaN LeakyRelu Log LogSoftmax MaxPool " +
			"BlackmanWindow HammingWindow HannWindow LRN MeanVarianceNormalization Mish Neg " +
			"NonZero Not Reciprocal Relu Round Selu Shape " +
			"Shrink Sigmoid Sign Sin Sinh Size Softmax Softplus Softsign SpaceToDepth Sqrt Tan " +
			"Tanh ThresholdedRelu Transpose",
		{1, 2}: "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin " +
			"ReduceProd ReduceSum ReduceSumSquare Reshape Split Squeeze TopK Trilu Unsqueeze " +
			"Upsample",
		{1, 3}:         "Clip DFT Dropout",
		{1, 4}:         "Pad Resize",
		{1, 5}:         "Slice",
		{1, unbounded}: "Concat Einsum Max Mean Min Sum",
		{2, 2}: "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor CastLike Compress CumSum Div " +
			"Equal Expand Gather GatherElements GatherND Greater GreaterOrEqual Less " +
			"LessOrEqual MatMul Mod Mul Or PRelu Pow ReverseSequence Sub Xor",
		{2, 3}: "Conv ConvTranspose DequantizeLinear Gemm LayerNormalization " +
			"NegativeLogLikelihoodLoss QuantizeLinear SoftmaxCrossEntropyLoss Tile",
		{2, 4}: "ConvInteger MatMulInteger STFT",
		{3, 3}: "InstanceNormalization OneHot Range Scatter ScatterElements ScatterND Where",
		{3, 6}: "GRU RNN",
		{3, 8}: "LSTM",
		{5, 5}: "BatchNormalization MelWeightMatrix",
		{8, 8}: "QLinearMatMul",
		{8, 9}: "QLinearConv",
	} {
		for _, name := range strings.Fields(names) {
			all[name] = n
		}
	}
	return all
}()

// checkOperands refuses a call that lacks operands, or has more than its operator knows.
func (c *call) checkOperands() {
	n, ok := operands[c.op]
	if !ok {
		return
	}
	first := n[0]
	if first > 0 && n[1] == unbounded {
		first = max(first, len(c.in))
	}
	for i := range first {
		c.need(i)
	}
	if len(c.in) > n[1] {
		host.Failf("%d operands, want at most %d", len(c.in), n[1])
	}
}
