import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { Readable } from 'node:stream'

/** Statuses whose answers have no body (Fetch standard, null body status). */
const WITHOUT_BODY = new Set([101, 103, 204, 205, 304])

/** `<wallet>.localhost` is this machine (RFC 6761, 6.3), but not every resolver says so. */
const addressOf = (hostname: string) =>
  hostname.endsWith('.localhost') ? '127.0.0.1' : hostname.replace(/^\[|\]$/g, '')

/**
 * A fetch over node:http that sends the headers it is given, Host among them, and keeps trailers: a streamed answer's
 * receipt comes as one, and `trailers` of the Response has it once the body is read. Follows no redirect: a payment is for
 * the address it was signed for.
 */
export const httpFetch: typeof fetch = async (input, init) => {
  const request = new Request(input, init)
  const url = new URL(request.url)
  const headers: Record<string, string> = { host: url.host, ...Object.fromEntries(request.headers) }
  const given = init?.headers instanceof Headers ? init.headers.get('x-peerhost-host') : undefined
  if (given) headers.host = given
  delete headers['x-peerhost-host']
  const body = request.body ? Buffer.from(await request.arrayBuffer()) : undefined
  if (body) headers['content-length'] = String(body.length)
  const options: RequestOptions = {
    method: request.method,
    host: addressOf(url.hostname),
    port: url.port || undefined,
    path: url.pathname + url.search,
    headers,
    servername: url.hostname,
    signal: request.signal,
  } as RequestOptions
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = (url.protocol === 'https:' ? requestHttps : requestHttp)(options, resolve)
    outgoing.once('error', (cause) => reject(new TypeError('fetch failed', { cause })))
    outgoing.end(body)
  })
  const received = new Headers()
  for (let i = 0; i < message.rawHeaders.length; i += 2)
    received.append(message.rawHeaders[i]!, message.rawHeaders[i + 1]!)
  const status = message.statusCode!
  const hasBody = !WITHOUT_BODY.has(status) && request.method !== 'HEAD'
  if (!hasBody) message.resume()
  const stream = hasBody ? (Readable.toWeb(message) as ReadableStream<Uint8Array>) : null
  const response = new Response(stream, { status, statusText: message.statusMessage, headers: received })
  Object.defineProperty(response, 'trailers', { get: () => message.trailers })
  return response
}
