import type { IncomingMessage } from 'node:http'
import { PeerHostError } from '@peerhost/protocol'
import { errorBody } from '../http/send-json.ts'
import type { ResolvedCall } from '../routing/resolve-call.ts'
import type { CompletedCall } from './completed-call.ts'
import { corsHeaders } from './cross-origin.ts'
import type { Answer } from './deliver.ts'

/** What a caller is told where there is no response: the function was ended from outside. */
function failureOf({ receipt }: CompletedCall, { served }: ResolvedCall): PeerHostError {
  const { timeout, memorySize } = served.definition
  if (receipt.status === 2) return new PeerHostError('PH_RUN_TIMEOUT', { seconds: timeout })
  if (receipt.status === 3) return new PeerHostError('PH_RUN_OUT_OF_MEMORY', { megabytes: memorySize })
  return new PeerHostError('PH_RUN_REFUSED', { detail: 'no worker could execute it' })
}

/** The HTTP answer of a completed call, with the CORS headers that its route adds. */
export function answerOf(call: CompletedCall, resolved: ResolvedCall, req: IncomingMessage): Answer {
  const { result, body } = call
  const added = resolved.route?.kind === 'httpApi' ? Object.entries(corsHeaders(req, resolved.route)) : []
  const response = result.kind === 'http' ? result.response : undefined
  if (response) {
    const names = new Set(added.map(([name]) => name))
    const own = response.headers.filter(([name]) => !names.has(name.toLowerCase()))
    return { status: response.httpStatus, headers: [...own, ...added], body }
  }
  const error = failureOf(call, resolved)
  return {
    status: error.status,
    headers: [['content-type', 'application/json'], ...added],
    body: Buffer.from(JSON.stringify(errorBody(error))),
  }
}
