import { setTimeout as sleep } from 'node:timers/promises'
import { PeerHostError } from '@peerhost/protocol'
import type { ExecutionResult, Sandbox, SandboxFunction } from '../types.ts'
import { firstDifference } from './first-difference.ts'
import type { SampleInvocation } from './sample-invocations.ts'

export interface ProveOptions {
  /** Executions of each invocation, at least 2. Default 3. */
  runs?: number
  /** Milliseconds before the last run: more than a second, so that a clock which only shows seconds is found too. Default 1,100. */
  pauseMs?: number
  signal?: AbortSignal
}

export type Proof =
  | { ok: true }
  /** `invocation`: name of the one that differed. `difference`: a sentence about the first difference, invocation included. */
  | { ok: false; invocation: string; difference: string }

const DEFAULT_RUNS = 3
const DEFAULT_PAUSE_MS = 1_100

/**
 * Runs a function several times with the same requests, seeds and clocks, in jails of their own and at different moments,
 * and compares the bytes of what it answers. All runs but the last start together, so that each has a jail to itself; the
 * last one follows in another second.
 *
 * @param sandboxes one, or several to spread the runs over
 * @throws PH_RUN_REFUSED if the sandbox does not run it at all
 */
export async function proveDeterministic(
  sandboxes: Sandbox | readonly Sandbox[],
  fn: SandboxFunction,
  samples: readonly SampleInvocation[],
  { runs = DEFAULT_RUNS, pauseMs = DEFAULT_PAUSE_MS, signal }: ProveOptions = {},
): Promise<Proof> {
  const all = Array.isArray(sandboxes) ? (sandboxes as readonly Sandbox[]) : [sandboxes as Sandbox]
  const execute = async (run: number, { invocation }: SampleInvocation): Promise<ExecutionResult> => {
    const result = await all[run % all.length]!.execute(fn, invocation, { signal })
    const { error } = result
    if (error?.code === 'PH_RUN_REFUSED' || error?.code === 'PH_RUN_CANCELLED') {
      throw new PeerHostError('PH_RUN_REFUSED', { detail: error.message })
    }
    return result
  }

  const early: ExecutionResult[][] = []
  for (const sample of samples) {
    const results = await Promise.all(Array.from({ length: runs - 1 }, (_, run) => execute(run, sample)))
    const proof = compare(sample, results)
    if (!proof.ok) return proof
    early.push(results)
  }
  await sleep(pauseMs, undefined, { signal })
  for (const [i, sample] of samples.entries()) {
    const proof = compare(sample, [...early[i]!, await execute(runs - 1, sample)])
    if (!proof.ok) return proof
  }
  return { ok: true }
}

function compare({ name }: SampleInvocation, results: ExecutionResult[]): Proof {
  for (const result of results.slice(1)) {
    const difference = firstDifference(results[0]!, result)
    if (difference !== undefined) {
      return { ok: false, invocation: name, difference: `two runs of ${name} differ: ${difference}` }
    }
  }
  return { ok: true }
}
