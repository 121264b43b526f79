// Runs models with ONNX Runtime. Standard input has jobs, one JSON a line:
//   {"model": file, "feeds": {name: {"type": "float32", "dims": [..], "data": [..]}}, "runs": n}
// Each is answered by a line with the outputs in the same form, and the milliseconds of the fastest
// of n runs. A later job on the same model uses the same session. NODE_PATH has onnxruntime-node.
const ort = require('onnxruntime-node');
const readline = require('readline');
const sessions = {};
const BIG = {int64: BigInt64Array}, ARRAYS = {float32: Float32Array, float64: Float64Array,
  int32: Int32Array, bool: Uint8Array, uint8: Uint8Array, int8: Int8Array};

async function run(line) {
  const job = JSON.parse(line);
  sessions[job.model] ??= await ort.InferenceSession.create(job.model,
    {intraOpNumThreads: job.threads ?? 1, interOpNumThreads: 1});
  const feeds = {};
  for (const [name, t] of Object.entries(job.feeds)) {
    const data = t.type in BIG ? BIG[t.type].from(t.data.map(BigInt)) : ARRAYS[t.type].from(t.data);
    feeds[name] = new ort.Tensor(t.type, data, t.dims);
  }
  let best = Infinity, result;
  for (let i = 0; i < (job.runs ?? 1); i++) {
    const from = process.hrtime.bigint();
    result = await sessions[job.model].run(feeds);
    best = Math.min(best, Number(process.hrtime.bigint() - from) / 1e6);
  }
  const outputs = {};
  for (const [name, t] of Object.entries(result)) {
    outputs[name] = {type: t.type, dims: t.dims, data: Array.from(t.data, Number)};
  }
  return {outputs, ms: best};
}

(async () => {
  for await (const line of readline.createInterface({input: process.stdin})) {
    let answer;
    try { answer = await run(line); } catch (e) { answer = {error: String(e.message ?? e)}; }
    console.log(JSON.stringify(answer, (k, v) => typeof v === 'number' && !isFinite(v) ? String(v) : v));
  }
})();
