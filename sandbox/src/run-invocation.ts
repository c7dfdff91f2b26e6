import { encodeInvocation } from './invocation-frame.ts'
import type { Answer } from './jail/answer.ts'
import { AnswerTooLarge, BadAnswer } from './jail/ends.ts'
import type { Jail } from './jail/jail.ts'
import type { Outcome } from './run-result.ts'
import * as ends from './run-result.ts'
import type { ExecuteOptions, Invocation, SandboxFunction } from './types.ts'

export interface Run {
  outcome: Outcome
  logs: string
  /** The child's end was waited for already. */
  settled: boolean
}

/** Runs one invocation in a jail whose child waits, within the function's time. Never rejects. */
export async function runInvocation(
  jail: Jail,
  fn: SandboxFunction,
  invocation: Invocation,
  { stream, signal }: ExecuteOptions,
): Promise<Run> {
  let forced: Outcome | undefined
  const force = (outcome: Outcome) => {
    forced ??= outcome
    jail.close(outcome.error!.message)
  }
  const timer = setTimeout(() => force(ends.timedOut(fn, invocation)), fn.definition.timeout * 1000)
  const abort = () => force(ends.cancelled(fn, invocation))
  signal?.addEventListener('abort', abort, { once: true })
  try {
    if (signal?.aborted) abort()
    const answer = await jail.run(encodeInvocation(fn, invocation), invocation.input.kind, stream)
    return { outcome: toOutcome(fn, invocation, answer), logs: jail.takeLogs(), settled: false }
  } catch (error) {
    const logs = jail.takeLogs()
    if (forced) return { outcome: forced, logs, settled: true }
    return { logs, ...(await explain(jail, fn, invocation, error, logs)) }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

function toOutcome(fn: SandboxFunction, invocation: Invocation, answer: Answer): Outcome {
  if (answer.kind === 'failed') return ends.threw(fn, invocation, answer.failure)
  if (answer.kind === 'output') return { status: 0, output: answer.output }
  return { status: 0, response: answer.response }
}

/** There is no answer: by what the child sent, or by how it ended. */
async function explain(jail: Jail, fn: SandboxFunction, invocation: Invocation, error: unknown, logs: string) {
  if (error instanceof AnswerTooLarge) return { outcome: ends.responseTooLarge(fn, invocation), settled: true }
  if (error instanceof BadAnswer) return { outcome: ends.badResponse(fn, invocation, error.message), settled: true }
  const status = await jail.settle().catch(() => undefined)
  if (jail.ranOutOfMemory()) return { outcome: ends.outOfMemory(fn, invocation), settled: true }
  return { outcome: ends.childEnded(fn, invocation, status, logs), settled: true }
}
