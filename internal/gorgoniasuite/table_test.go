package gorgoniasuite

// cannot has the tests and examples that do not pass, with the reason.
var cannot = map[string]string{
	"Test_tapeMachinePointerWatchFail": "checks an option of the tape machine that looks for two registers with one value",
	"TestUse":                          "checks that products go through the BLAS given to gorgonia.Use: the engine has its own",
	"TestBasicEngine":                  "checks which tensor.Engine the values of nodes have",
	"TestBasicArithmetic":              "checks which tensor.Engine the values of nodes have",

	"TestByIndicesOpFull":      "to be mended: ids outside of the rows",
	"TestTensordot":            "to be mended: a vector·vector is a scalar",
	"ExampleTensordot_vectors": "to be mended: a vector·vector is a scalar",

	"TestBatchNormAll":  "to be mended: inner nodes",
	"TestSliceBNConcat": "to be mended: inner nodes",
	"TestGroupNorm":     "to be mended: inner nodes",
	"TestDropoutAll":    "to be mended: inner nodes",

	"TestConcatOp":                      "to be mended: inner nodes",
	"TestSparsemaxFull":                 "to be mended: inner nodes",
	"TestSoftMaxFull":                   "to be mended: inner nodes",
	"TestAvgPoolOp":                     "to be mended: inner nodes",
	"TestMaxPool":                       "to be mended: inner nodes",
	"TestSoftplus":                      "to be mended: inner nodes",
	"TestAbs":                           "to be mended: inner nodes",
	"TestSum":                           "to be mended: inner nodes",
	"TestSlice":                         "to be mended: inner nodes",
	"TestBinOps":                        "to be mended: inner nodes",
	"TestGt":                            "to be mended: inner nodes",
	"Example_keepDims":                  "to be mended: inner nodes",
	"ExampleBatchedMatMul_withBackprop": "to be mended: inner nodes",
}
