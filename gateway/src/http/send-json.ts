import type { IncomingMessage, ServerResponse } from 'node:http'
import { isPeerHostError, type PeerHostError, toPeerHostError } from '@peerhost/protocol'

/** Answers with JSON; never twice. */
export function sendJson(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  if (res.headersSent || res.destroyed) return void res.destroy()
  const body = Buffer.from(JSON.stringify(value))
  res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': body.length,
    'cache-control': 'no-store',
    'access-control-allow-origin': '*',
    ...headers,
    // What is left of a body that was not read would be taken for the next request.
    ...(!req.complete && { connection: 'close' }),
  })
  res.end(req.method === 'HEAD' ? undefined : body)
}

/** What callers are told of an error: an internal one keeps its detail for the log. */
export function errorBody(error: PeerHostError): { message: string; code: string; hint: string } {
  if (error.code === 'PH_REQUEST_NO_ROUTE') return { ...error.toJSON(), message: 'Not Found' }
  if (error.code === 'PH_INTERNAL') return { ...error.toJSON(), message: 'Internal Server Error' }
  return error.toJSON()
}

/** Answers with an error's status and JSON. */
export function sendError(
  req: IncomingMessage,
  res: ServerResponse,
  cause: unknown,
  headers: Record<string, string> = {},
): void {
  const error = isPeerHostError(cause) ? cause : toPeerHostError(cause)
  sendJson(req, res, error.status, errorBody(error), headers)
}
