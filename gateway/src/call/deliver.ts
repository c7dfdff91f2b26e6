import type { IncomingMessage, ServerResponse } from 'node:http'
import { encodeReceiptHeader, type HeaderField } from '@peerhost/protocol'
import type { Context } from '../context.ts'
import { type CompletedCall, signedReceiptOf } from './completed-call.ts'

/** An HTTP answer, before the gateway adds to it. */
export interface Answer {
  status: number
  headers: readonly HeaderField[]
  body: Uint8Array
}

/** Response headers that the protocol adds; a browser may read them only if they are named to it. */
export const EXPOSED_HEADERS =
  'PEERHOST-RECEIPT, PEERHOST-WORKER, PEERHOST-START, PEERHOST-ERROR, PAYMENT-REQUIRED, PAYMENT-RESPONSE, Server-Timing'

const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a header value may not hold (RFC 9110, 5.5)
const FORBIDDEN = /[\0-\x08\x0a-\x1f\x7f]|[^\0-\xff]/
/** What speaks of this connection, or only the gateway may say. */
const OWN =
  /^(connection|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade|content-length|server-timing|date)$/

const isFunctionHeader = ([name, value]: HeaderField): boolean => {
  const lower = name.toLowerCase()
  return (
    TOKEN.test(name) &&
    !FORBIDDEN.test(value) &&
    !OWN.test(lower) &&
    !lower.startsWith('peerhost-') &&
    !lower.startsWith('payment-')
  )
}

/** The function's headers as they may go out, flat; exposes the protocol's own to browsers where it answers them. */
export function responseHeaders(headers: readonly HeaderField[]): string[] {
  const flat: string[] = []
  let exposed = EXPOSED_HEADERS
  let crossOrigin = false
  for (const field of headers) {
    if (!isFunctionHeader(field)) continue
    const lower = field[0].toLowerCase()
    if (lower === 'access-control-expose-headers') {
      exposed = `${field[1]}, ${exposed}`
      continue
    }
    crossOrigin ||= lower === 'access-control-allow-origin'
    flat.push(field[0], field[1])
  }
  if (crossOrigin) flat.push('access-control-expose-headers', exposed)
  return flat
}

/** PEERHOST-WORKER, PEERHOST-START and Server-Timing; PEERHOST-ERROR where the function did not end well. */
export function runHeaders({ receipt, start, dispatchMs, runMs, errorCode }: CompletedCall): string[] {
  const timing = `dispatch;dur=${dispatchMs.toFixed(2)}, run;dur=${runMs.toFixed(2)}`
  const headers = ['peerhost-worker', receipt.worker, 'peerhost-start', start, 'server-timing', timing]
  if (receipt.status !== 0)
    headers.push('peerhost-error', errorCode ?? STATUS_CODES[receipt.status] ?? 'PH_RUN_REFUSED')
  return headers
}

const STATUS_CODES: Record<number, string> = { 1: 'PH_RUN_THREW', 2: 'PH_RUN_TIMEOUT', 3: 'PH_RUN_OUT_OF_MEMORY' }

/** The value of PEERHOST-RECEIPT of an accepted call. */
export const receiptHeader = (call: CompletedCall): string => encodeReceiptHeader(signedReceiptOf(call, call.accepted!))

/** Milliseconds without progress after which a client that takes no answer is given up. */
const SLOW_READER_MS = 60_000

const hasNoBody = (req: IncomingMessage, status: number) => req.method === 'HEAD' || status === 204 || status === 304

/** Bytes of a body from which it counts as waiting; smaller ones are in the socket's buffers at once. */
const LARGE = 64 * 1024

/** Writes an answer with further headers (flat); resolves true when all of it was handed to the connection. */
export function deliver(
  { outgoing }: Pick<Context, 'outgoing'>,
  req: IncomingMessage,
  res: ServerResponse,
  { status, headers, body }: Answer,
  further: readonly string[],
): Promise<boolean> {
  return new Promise((resolve) => {
    if (res.destroyed || res.headersSent) return resolve(false)
    res.setTimeout(SLOW_READER_MS, () => res.destroy())
    res.once('finish', () => resolve(true))
    res.once('close', () => resolve(res.writableFinished))
    const flat = [...responseHeaders(headers), ...further]
    const bodyless = hasNoBody(req, status)
    if (!bodyless || req.method === 'HEAD') flat.push('content-length', String(body.length))
    res.writeHead(status, flat)
    if (!bodyless && body.length >= LARGE) outgoing.hold(res, body.length)
    res.end(bodyless ? undefined : body)
  })
}
