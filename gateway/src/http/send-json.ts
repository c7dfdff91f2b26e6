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
  const content = req.method === 'HEAD' ? undefined : body
  if (req.complete) return void res.end(content)
  if (content) res.write(content)
  else res.flushHeaders()
  drain(req, () => res.end())
}

/** What is thrown away of a body that is refused, in bytes and milliseconds. */
const DRAIN_BYTES = 64 * 1024 * 1024
const DRAIN_MS = 2_000

/**
 * Takes the rest of a refused body before the connection is closed: a client that is still sending would meet a reset
 * instead of the answer (RFC 9112, 9.6).
 */
function drain(req: IncomingMessage, done: () => void): void {
  let size = 0
  const stop = () => {
    clearTimeout(timer)
    req.off('data', onData).off('end', stop).off('close', stop)
    done()
  }
  const onData = (part: Buffer) => {
    size += part.length
    if (size > DRAIN_BYTES) stop()
  }
  const timer = setTimeout(stop, DRAIN_MS)
  req.on('data', onData).once('end', stop).once('close', stop).resume()
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
