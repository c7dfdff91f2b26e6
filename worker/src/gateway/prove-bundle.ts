import type { Hex, ProveFrame } from '@peerhost/protocol'
import { proveDeterministic, type Sandbox, sampleInvocations } from '@peerhost/sandbox'
import type { FunctionSource } from '../functions/function-source.ts'

/** Runs a trial takes at most, whatever is asked for. */
const MAX_RUNS = 5

/**
 * Runs a bundle that is not registered yet several times and returns the first difference, or undefined. Nothing is signed.
 */
export async function proveBundle(
  { sandbox, functions }: { sandbox: Sandbox; functions: FunctionSource },
  { owner, project, definition, runs }: ProveFrame,
): Promise<string | undefined> {
  const fn = { owner: owner as Hex, project, version: 0, definition, bundle: () => functions.bundle(definition) }
  const proof = await proveDeterministic(sandbox, fn, sampleInvocations(definition), {
    runs: Math.min(Math.max(runs, 2), MAX_RUNS),
  })
  return proof.ok ? undefined : proof.difference
}
