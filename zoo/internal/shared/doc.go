// Package shared holds code that the models of the zoo have in common and that no user needs: how a
// model learns from examples ([Learner]), which a task goes over and knows by a digest
// ([ExampleTask], [TaskData]); how decoders start and search ([Writer]); what a state holds
// ([State]); layers between a model's input and its code ([Dense]); rounding of lengths, so that
// few graphs are compiled for batches of many; checks of ids, activations and losses; and numbers
// of tensors. A model's own ideas stand in its own package.
package shared
