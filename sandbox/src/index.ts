export type * from './types.ts'
export { type Proof, type ProveOptions, proveDeterministic } from './prove/prove-deterministic.ts'
export { type SampleInvocation, sampleInvocations } from './prove/sample-invocations.ts'
