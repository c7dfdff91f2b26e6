import type { IncomingMessage } from 'node:http'
import { errorAnswer, type FailureStatus, PeerHostError } from '@peerhost/protocol'
import type { ServedFunction } from '../routing/project-catalogue.ts'
import type { ResolvedCall } from '../routing/resolve-call.ts'
import type { CompletedCall } from './completed-call.ts'
import { functionCors } from './cross-origin.ts'
import type { Answer } from './deliver.ts'

/** What went wrong in a call, as its caller may know it; the owner finds more in the logs. */
export function failureOf({ receipt }: CompletedCall, { definition }: ServedFunction): PeerHostError | undefined {
  const { timeout, memorySize } = definition
  switch (receipt.status) {
    case 0:
      return undefined
    case 1:
      return new PeerHostError('PH_RUN_THREW', { detail: 'see its logs' })
    case 2:
      return new PeerHostError('PH_RUN_TIMEOUT', { seconds: timeout })
    case 3:
      return new PeerHostError('PH_RUN_OUT_OF_MEMORY', { megabytes: memorySize })
    default:
      return new PeerHostError('PH_RUN_REFUSED', { detail: 'no worker could execute it' })
  }
}

/**
 * The HTTP answer of a completed call. Where the function was ended from outside it has the status and message of its
 * kind of event, with the code and hint of what happened.
 */
export function answerOf(call: CompletedCall, { served, route }: ResolvedCall, req: IncomingMessage): Answer {
  const { result, body } = call
  const added = functionCors(req, route)
  const response = result.kind === 'http' ? result.response : undefined
  if (response) {
    const names = new Set(added.map(([name]) => name))
    const own = response.headers.filter(([name]) => !names.has(name.toLowerCase()))
    return { status: response.httpStatus, headers: [...own, ...added], body }
  }
  const fixed = errorAnswer(route?.kind ?? 'httpApi', call.receipt.status as FailureStatus)
  const { code, hint } = failureOf(call, served)!
  const { message } = JSON.parse(Buffer.from(fixed.body).toString()) as { message: string }
  return {
    status: fixed.httpStatus,
    headers: [...fixed.headers, ...added],
    body: Buffer.from(JSON.stringify({ message, code, hint })),
  }
}
