import type { CanonicalResponse } from '../canonical/types.ts'
import type { EventKind } from '../manifest/types.ts'

/** Receipt.status of an execution without an answer of the function's own: threw, timeout, out of memory, cannot execute. */
export type FailureStatus = 1 | 2 | 3 | 4

/**
 * The fixed answer in place of a function's own, as API Gateway gives it: nothing of the error in it. Whatever the function
 * did (threw, ran out of time or memory) a REST API says 502 and an HTTP API 500; if nobody could run it, both say 503.
 * Status 1's is what `resultHash` covers (protocol.md).
 */
export function errorAnswer(kind: EventKind, status: FailureStatus): CanonicalResponse {
  if (status === 4) return jsonAnswer(503, 'Service Unavailable')
  return kind === 'http' ? jsonAnswer(502, 'Internal server error') : jsonAnswer(500, 'Internal Server Error')
}

function jsonAnswer(httpStatus: number, message: string): CanonicalResponse {
  return {
    httpStatus,
    headers: [['content-type', 'application/json']],
    body: new TextEncoder().encode(JSON.stringify({ message })),
  }
}
