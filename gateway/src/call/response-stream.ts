import { createHash, type Hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import { type FunctionResult, type HeadFrame, isAnswerStatus, MAX_BODY, PeerHostError } from '@peerhost/protocol'
import type { Outgoing } from '../http/outgoing.ts'
import type { CompletedCall } from './completed-call.ts'
import { receiptHeader, responseHeaders } from './deliver.ts'
import type { StreamSink } from './dispatch.ts'

const isPair = (value: unknown): value is [string, string] =>
  Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string')

/**
 * Hands the parts of a free function's response on as they come. The receipt follows as a trailer, because it covers
 * what was sent; where the receipt does not hold, the connection is cut, so that the caller does not take it for whole.
 */
export class ResponseStream implements StreamSink {
  begun = false
  readonly #res: ServerResponse
  readonly #outgoing: Outgoing
  readonly #sent: Hash = createHash('sha256')
  #head: HeadFrame | undefined
  #size = 0

  private constructor(res: ServerResponse, outgoing: Outgoing) {
    this.#res = res
    this.#outgoing = outgoing
  }

  /** A stream for this request, or undefined where its client takes no trailers: HEAD and HTTP/1.0. */
  static of(req: IncomingMessage, res: ServerResponse, outgoing: Outgoing): ResponseStream | undefined {
    return req.method === 'HEAD' || req.httpVersionMinor === 0 ? undefined : new ResponseStream(res, outgoing)
  }

  head(frame: HeadFrame): void {
    if (this.begun || this.#res.destroyed) return
    const { httpStatus, headers } = frame
    const valid = isAnswerStatus(httpStatus) && httpStatus !== 204 && httpStatus !== 304 && headers.every(isPair)
    if (!valid) return // the whole response comes with the result all the same
    this.begun = true
    this.#head = frame
    this.#res.writeHead(httpStatus, [...responseHeaders(headers), 'trailer', 'PEERHOST-RECEIPT'])
    this.#res.flushHeaders()
  }

  chunk(bytes: Uint8Array): void {
    if (!this.begun || this.#res.destroyed) return
    this.#size += bytes.length
    if (this.#size > MAX_BODY) {
      this.abort()
      return
    }
    this.#sent.update(bytes)
    if (!this.#res.write(bytes)) this.#outgoing.hold(this.#res, this.#res.writableLength)
  }

  /** Throws PH_WORKER_BAD_RECEIPT where the receipt is of something else than was streamed. */
  check(result: FunctionResult, body: Uint8Array): void {
    if (!this.begun) return
    const response = result.kind === 'http' ? result.response : undefined
    const isSame =
      response?.httpStatus === this.#head?.httpStatus &&
      isDeepStrictEqual(response?.headers, this.#head?.headers) &&
      this.#sent.digest('hex') === createHash('sha256').update(body).digest('hex')
    if (!isSame)
      throw new PeerHostError('PH_WORKER_BAD_RECEIPT', { detail: 'it is of another response than was streamed' })
  }

  /** Ends the response with the receipt of the accepted call. */
  finish(call: CompletedCall): void {
    this.#res.addTrailers({ 'PEERHOST-RECEIPT': receiptHeader(call) })
    this.#res.end()
  }

  abort(): void {
    this.#res.destroy()
  }
}
