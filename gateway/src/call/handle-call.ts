import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  canonicalHeaders,
  encodeInput,
  fromHex,
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
import { sourceAddress } from '../http/source-address.ts'
import { readPayment } from '../pay/authorization.ts'
import { paymentRequired, toHeader } from '../pay/offer.ts'
import type { PaidCall } from '../pay/payments.ts'
import { type ResolvedCall, resolveCall } from '../routing/resolve-call.ts'
import { accept } from './accept.ts'
import { answerOf } from './answer-of.ts'
import { corsHeaders, preflight } from './cross-origin.ts'
import { deliver, EXPOSED_HEADERS, receiptHeader, runHeaders } from './deliver.ts'
import { type Call, dispatch } from './dispatch.ts'
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
  try {
    const project = await context.catalogue.find(target.owner, target.project)
    const method = req.method!
    resolved = project && resolveCall(project, method, target.path)
    if (project && !resolved?.route && method === 'OPTIONS' && preflight(req, res, project, target.path)) return
    if (!resolved)
      throw project?.problem ?? new PeerHostError('PH_REQUEST_NO_ROUTE', { path: target.path.slice(0, 200) })

    const body = await readBody(req, MAX_BODY)
    if (resolved.route?.schemas) await context.schemas.check(resolved.route, req.headers['content-type'], body)
    const call = makeCall(context, target, resolved, req, body)
    paid = call.maxPrice > 0n
    if (paid) await payAndAnswer(context, call, resolved, req, res)
    else await answerFree(context, call, resolved, req, res)
  } catch (cause) {
    const error = toPeerHostError(cause)
    if (error.kind === 'internal') context.log('error', 'call failed', { code: error.code, message: error.message })
    sendError(req, res, error, resolved?.route ? corsHeaders(req, resolved.route) : {})
  }
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
  const stream = ResponseStream.of(req, res)
  try {
    const completed = await dispatch(context, call, stream)
    if (stream?.begun) stream.check(completed)
    const { accepted, record } = accept(context, completed)
    const promised = { ...completed, accepted }
    await context.store.addReceipt(record)
    if (stream?.begun) stream.finish(promised)
    else {
      const further = [...runHeaders(promised), 'peerhost-receipt', receiptHeader(promised)]
      await deliver(req, res, answerOf(promised, resolved, req), further)
    }
    context.pool.connection(completed.receipt.worker)?.sendAcceptance(accepted)
  } catch (error) {
    if (stream?.begun) stream.abort()
    throw error
  }
}

/** Names the request that a payment is for: the service and what it is given. */
const bindingOf = ({ served, inputHash }: Call): Hex =>
  keccak256(fromHex(`${served.service.serviceId}${inputHash.slice(2)}`))

async function payAndAnswer(
  context: Context,
  call: Call,
  resolved: ResolvedCall,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const { payments, metrics } = context
  const header = req.headers['payment-signature']
  try {
    if (typeof header !== 'string') throw new PeerHostError('PH_PAY_REQUIRED', {})
    const payment = readPayment(header)
    const again = req.headers['peerhost-retry'] !== undefined
    const opened = await payments.open(payment, call.served, bindingOf(call), again)
    if ('call' in opened) return await deliverPaid(context, opened, resolved, req, res)

    const paidCall = { ...call, payer: opened.authorization.from }
    const completed = await dispatch(context, paidCall).catch(async (error) => {
      await payments.release(opened)
      throw error
    })
    if (completed.receipt.price === 0n) {
      await payments.release(opened)
      const { accepted, record } = accept(context, completed)
      await context.store.addReceipt(record)
      const promised = { ...completed, accepted }
      const further = [...runHeaders(promised), 'peerhost-receipt', receiptHeader(promised)]
      await deliver(req, res, answerOf(promised, resolved, req), further)
      context.pool.connection(completed.receipt.worker)?.sendAcceptance(accepted)
      return
    }
    const settled = await payments.settle(opened, completed).catch((error) => {
      const failure = payments.failure(toPeerHostError(error), opened.authorization.from)
      res.setHeader('payment-response', toHeader(failure))
      throw error
    })
    metrics.earned.inc(Number(completed.receipt.price) / 1e6)
    await deliverPaid(context, settled, resolved, req, res)
    context.pool.connection(completed.receipt.worker)?.sendAcceptance(settled.call.accepted!)
  } catch (cause) {
    const error = toPeerHostError(cause)
    if (error.status !== 402) throw error
    if (error.code !== 'PH_PAY_REQUIRED') metrics.refusedPayments.inc({ code: error.code })
    const offer = payments.offer(call.served)
    const required = paymentRequired(offer, resourceOf(context, call, req), error)
    sendJson(
      req,
      res,
      402,
      { ...errorBody(error), x402Version: 2, accepts: required.accepts },
      {
        'payment-required': toHeader(required),
        'access-control-expose-headers': EXPOSED_HEADERS,
        ...(resolved.route && corsHeaders(req, resolved.route)),
      },
    )
  }
}

async function deliverPaid(
  { payments }: Context,
  paid: PaidCall,
  resolved: ResolvedCall,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const further = [
    ...runHeaders(paid.call),
    'peerhost-receipt',
    receiptHeader(paid.call),
    'payment-response',
    toHeader(payments.response(paid)),
  ]
  if (await deliver(req, res, answerOf(paid.call, resolved, req), further)) payments.delivered(paid.ref)
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
