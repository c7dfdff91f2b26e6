import { constants } from 'node:os'
import { type ErrorCode, errorAnswer, PeerHostError } from '@peerhost/protocol'
import { routeOf } from './invocation-frame.ts'
import { MAX_RESPONSE } from './jail/answer.ts'
import type { FunctionFailure } from './jail/ends.ts'
import type { ExecutionResult, ExecutionStatus, Invocation, SandboxFunction } from './types.ts'

/** What an execution came to: everything of the result but its times and logs. */
export type Outcome = Pick<ExecutionResult, 'status' | 'response' | 'output' | 'error'> & { failure?: FunctionFailure }

/** Why an execution has no answer of its function's own. */
interface Failure {
  status: ExecutionStatus
  code: ErrorCode
  message: string
  failure: FunctionFailure
}

function toOutcome(fn: SandboxFunction, { input }: Invocation, { status, code, message, failure }: Failure): Outcome {
  const outcome: Outcome = { status, error: { code, message }, failure }
  if (status > 1) return outcome
  if (input.kind === 'http') {
    const { method, path } = input.request
    return { ...outcome, response: errorAnswer(routeOf(fn.definition, method, path)?.kind ?? 'httpApi', 1) }
  }
  // No trace: it holds what the receipt must not depend on, and the owner's log has it.
  const { errorType, errorMessage } = failure
  return { ...outcome, output: Buffer.from(JSON.stringify({ errorType, errorMessage })) }
}

const plain = (errorType: string, errorMessage: string): FunctionFailure => ({ errorType, errorMessage, trace: [] })
const messageOf = (code: ErrorCode, words: Record<string, string | number>) =>
  new PeerHostError(code, words as never).message

function failed(
  status: ExecutionStatus,
  code: ErrorCode,
  words: Record<string, string | number>,
  failure?: FunctionFailure,
): Failure {
  const message = messageOf(code, words)
  return { status, code, message, failure: failure ?? plain(code, message) }
}

const describe = ({ errorType, errorMessage }: FunctionFailure) => `${errorType}: ${errorMessage}`.slice(0, 500)

const EXIT = 'Runtime.ExitError'
const MALFORMED = 'Runtime.MalformedResponse'

/** The handler threw, or the runtime in the jail says that what it did is no answer. */
export function threw(fn: SandboxFunction, invocation: Invocation, failure: FunctionFailure): Outcome {
  const detail = describe(failure)
  if (failure.errorType === EXIT) return toOutcome(fn, invocation, failed(1, 'PH_RUN_EXITED', { detail }, failure))
  if (failure.errorType === MALFORMED)
    return toOutcome(fn, invocation, failed(1, 'PH_RUN_BAD_RESPONSE', { detail }, failure))
  return toOutcome(fn, invocation, failed(1, 'PH_RUN_THREW', { detail }, failure))
}

export const badResponse = (fn: SandboxFunction, invocation: Invocation, detail: string) =>
  toOutcome(fn, invocation, failed(1, 'PH_RUN_BAD_RESPONSE', { detail }))

export const responseTooLarge = (fn: SandboxFunction, invocation: Invocation) =>
  toOutcome(fn, invocation, failed(1, 'PH_RUN_RESPONSE_TOO_LARGE', { limit: MAX_RESPONSE }))

export const timedOut = (fn: SandboxFunction, invocation: Invocation) =>
  toOutcome(fn, invocation, failed(2, 'PH_RUN_TIMEOUT', { seconds: fn.definition.timeout }))

export const outOfMemory = (fn: SandboxFunction, invocation: Invocation) =>
  toOutcome(fn, invocation, failed(3, 'PH_RUN_OUT_OF_MEMORY', { megabytes: fn.definition.memorySize }))

export const cancelled = (fn: SandboxFunction, invocation: Invocation) =>
  toOutcome(fn, invocation, failed(4, 'PH_RUN_CANCELLED', {}))

export const initFailed = (fn: SandboxFunction, invocation: Invocation, failure: FunctionFailure) =>
  toOutcome(fn, invocation, failed(1, 'PH_RUN_INIT_FAILED', { detail: describe(failure) }, failure))

/** This worker cannot run it, which says nothing of the function. */
export function refused(fn: SandboxFunction, invocation: Invocation, error: Error): Outcome {
  if (error instanceof PeerHostError) {
    return toOutcome(fn, invocation, {
      status: 4,
      code: error.code,
      message: error.message,
      failure: plain(error.code, error.message),
    })
  }
  return toOutcome(fn, invocation, failed(4, 'PH_RUN_REFUSED', { detail: error.message }))
}

const signalName = (number: number) =>
  Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`

const HEAP_EXHAUSTED = /JavaScript heap out of memory|Array buffer allocation failed|Zone Allocation failed/
const { SIGSYS } = constants.signals

/**
 * The child ended without an answer: by a signal or with an exit code, as its wait status says; undefined where the kernel
 * does not tell.
 */
export function childEnded(
  fn: SandboxFunction,
  invocation: Invocation,
  status: number | undefined,
  logs: string,
): Outcome {
  const signal = (status ?? 0) & 0x7f
  if (signal !== 0 || status === undefined) {
    if (HEAP_EXHAUSTED.test(logs)) return outOfMemory(fn, invocation)
    if (signal === SIGSYS) return toOutcome(fn, invocation, failed(1, 'PH_RUN_FORBIDDEN', {}))
    const detail = signal === 0 ? 'it ended without an answer' : signalName(signal)
    return toOutcome(fn, invocation, failed(1, 'PH_RUN_CRASHED', { detail }))
  }
  return toOutcome(fn, invocation, failed(1, 'PH_RUN_EXITED', { detail: `exit code ${status >> 8}` }))
}
