import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  canonicalHeaders,
  encodeInput,
  type Hex,
  isHex,
  keccak256,
  MAX_BODY,
  PeerHostError,
  toPeerHostError,
  ZERO_ADDRESS,
} from '@peerhost/protocol'
import type { Context } from '../context.ts'
import { readBody } from '../http/read-body.ts'
import type { FunctionTarget } from '../http/request-target.ts'
import { errorBody, sendError, sendJson } from '../http/send-json.ts'
import { callerOf, sourceAddress } from '../http/source-address.ts'
import { type ExactPayment, readPayment } from '../pay/authorization.ts'
import { paymentRequired, toHeader } from '../pay/offer.ts'
import { describeProject } from '../routes/openapi.ts'
import { type ResolvedCall, resolveCall } from '../routing/resolve-call.ts'
import { answerOf } from './answer-of.ts'
import type { CompletedCall } from './completed-call.ts'
import { answerPreflight, gatewayCors } from './cross-origin.ts'
import { type Answer, deliver, EXPOSED_HEADERS, receiptHeader, runHeaders } from './deliver.ts'
import type { Call } from './dispatch.ts'
import { type PerformedCall, performFree, performPaid } from './perform-call.ts'
import { ResponseStream } from './response-stream.ts'

/** Serves a request that is aimed at a function. Always answers, never throws. */
export async function handleCall(
  context: Context,
  target: FunctionTarget,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const startedAt = performance.now()
  let resolved: ResolvedCall | undefined
  let paid = false
  let freeBody: (() => void) | undefined
  try {
    const project = await context.catalogue.find(target.owner, target.project)
    const method = req.method!
    if (project && answerPreflight(req, res, project, target.path)) return
    resolved = project && resolveCall(project, method, target.path)
    if (project && !resolved && method === 'GET' && target.path === '/openapi.json')
      return sendJson(req, res, 200, describeProject(context, project))
    if (!resolved)
      throw project?.problem ?? new PeerHostError('PH_REQUEST_NO_ROUTE', { path: target.path.slice(0, 200) })

    freeBody = context.bodies.take(req, MAX_BODY)
    const body = await readBody(req, MAX_BODY)
    if (resolved.route?.schemas) await context.schemas.check(resolved.route, req.headers['content-type'], body)
    const call = makeCall(context, target, resolved, req, body)
    paid = call.maxPrice > 0n
    if (paid) await payAndAnswer(context, call, resolved, req, res)
    else await answerFree(context, call, resolved, req, res)
  } catch (cause) {
    const error = toPeerHostError(cause)
    if (error.kind === 'internal') context.log('error', 'call failed', { code: error.code, message: error.message })
    sendError(req, res, error, gatewayCors(req, resolved?.route))
  }
  freeBody?.()
  context.metrics.calls.inc({ status: String(res.statusCode), paid: String(paid) })
  context.metrics.callSeconds.observe({ paid: String(paid) }, (performance.now() - startedAt) / 1000)
}

/** The call in its canonical form: what is hashed is what the handler sees. */
function makeCall(
  { isTrustedProxy }: Context,
  target: FunctionTarget,
  { served }: ResolvedCall,
  req: IncomingMessage,
  body: Uint8Array,
): Call {
  const { definition, service } = served
  const isPublic = definition.verification === 'public'
  const input = encodeInput({
    kind: 'http',
    request: {
      method: req.method!,
      host: isPublic ? '' : (req.headers.host ?? ''),
      sourceAddress: isPublic ? '' : sourceAddress(req, isTrustedProxy),
      path: target.path,
      query: target.query,
      headers: canonicalHeaders(req.rawHeaders, { isPublic, publicHeaders: definition.publicHeaders }),
      body,
    },
  })
  const payer = req.headers['peerhost-payer']
  return {
    served,
    kind: 'http',
    input,
    inputHash: keccak256(input),
    body,
    payer: isHex(payer, 20) ? (payer.toLowerCase() as Hex) : ZERO_ADDRESS,
    maxPrice: service.spec.price,
  }
}

async function answerFree(
  context: Context,
  call: Call,
  resolved: ResolvedCall,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  context.freeCalls.take(callerOf(sourceAddress(req, context.isTrustedProxy)))
  const stream = ResponseStream.of(req, res, context.outgoing)
  try {
    let composed: ComposedAnswer | undefined
    const performed = await performFree(context, call, {
      sink: stream,
      meanwhile: (done) => {
        if (!stream?.begun) composed = compose(done, resolved, req)
      },
    })
    if (composed) await deliver(context, req, res, composed.answer, composed.headers)
    else stream!.finish(performed.call)
  } catch (error) {
    if (stream?.begun) stream.abort()
    throw error
  }
}

async function payAndAnswer(
  context: Context,
  call: Call,
  resolved: ResolvedCall,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const header = req.headers['payment-signature']
  let payment: ExactPayment | undefined
  try {
    payment = typeof header === 'string' ? readPayment(header) : undefined
    const again = req.headers['peerhost-retry'] !== undefined
    const performed = await performPaid(
      context,
      call,
      payment,
      again,
      callerOf(sourceAddress(req, context.isTrustedProxy)),
    )
    await deliverPaid(context, performed, resolved, req, res)
  } catch (cause) {
    const error = toPeerHostError(cause)
    const { payments } = context
    if (payment && (error.code === 'PH_PAY_SETTLEMENT_FAILED' || error.code === 'PH_PAY_PENDING'))
      res.setHeader('payment-response', toHeader(payments.failure(error, payment.authorization.from)))
    if (error.status !== 402) throw error
    if (header !== undefined) context.metrics.refusedPayments.inc({ code: error.code })
    const required = paymentRequired(payments.offer(call.served), resourceOf(context, call, req), error)
    sendJson(
      req,
      res,
      402,
      { ...errorBody(error), x402Version: 2, accepts: required.accepts },
      {
        'payment-required': toHeader(required),
        'access-control-expose-headers': EXPOSED_HEADERS,
        ...gatewayCors(req, resolved.route),
      },
    )
  }
}

/** The answer of an accepted call, and what the protocol adds to its headers (flat). */
interface ComposedAnswer {
  answer: Answer
  headers: string[]
}

const compose = (call: CompletedCall, resolved: ResolvedCall, req: IncomingMessage): ComposedAnswer => ({
  answer: answerOf(call, resolved, req),
  headers: [...runHeaders(call), 'peerhost-receipt', receiptHeader(call)],
})

async function deliverPaid(
  context: Context,
  { call, paid }: PerformedCall,
  resolved: ResolvedCall,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const { payments } = context
  const { answer, headers } = compose(call, resolved, req)
  if (paid) headers.push('payment-response', toHeader(payments.response(paid)))
  const delivered = await deliver(context, req, res, answer, headers)
  if (paid && delivered) payments.delivered(paid.ref)
}

/** What the offer is for: the URL as the caller wrote it. */
function resourceOf({ publicUrl, config }: Context, { served }: Call, req: IncomingMessage) {
  const { host } = req.headers
  const scheme = config.publicUrl?.startsWith('https:') ? 'https' : 'http'
  const base = host ? `${scheme}://${host}` : publicUrl
  const path = req.url!.startsWith('/') ? req.url! : '/'
  return {
    url: `${base}${path.split('?')[0]}`.slice(0, 1024),
    description: served.definition.description?.slice(0, 200) ?? `${served.service.project}/${served.service.function}`,
    serviceName: served.service.project,
  }
}
