package train

import "github.com/seqzoo/seqzoo/run"

// Sharded is a Task that can compute a batch in parts, as Config.Shards asks for. The rows of a
// batch, its sequences or tracks, are divided into n shards as [ShardRows] says; the mean of the
// shards' gradients, weighted by their counts, is the gradient of the batch, if that is a mean over
// what is counted. What the task draws for a row depends on seed, counter and its place in the
// whole batch, not on the shard, so that it does not matter who computes what.
type Sharded interface {
	Task
	// Advance goes on to the next batch; after Len of them the next epoch begins. Next is Advance
	// and then Shard 0 of 1.
	Advance() error
	// Shard computes loss and gradients of shard k of n of the batch at hand. Shards may be left
	// out. One without rows counts 0 and has no gradients.
	Shard(k, n int, seed uint64, counter int) (Batch, error)
}

// Carrying is a Sharded task with a state that goes from batch to batch, [B, …] in rows, of which a
// shard reads and writes those of its own. Where several processes compute shards, Fit gives all of
// them the true rows before a checkpoint is made.
type Carrying interface {
	Sharded
	Carried() *run.State
}

// ShardRows are the rows of shard k of n of a batch of so many: from and to ⌊rows·k/n⌋ and
// ⌊rows·(k+1)/n⌋. No two shards differ by more than one row, and the
// last has the most. An n below 1 counts as 1.
func ShardRows(rows, k, n int) (from, to int) {
	n = max(n, 1)
	return rows * k / n, rows * (k + 1) / n
}
