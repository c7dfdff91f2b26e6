import { fromHex, type Hex, isPeerHostError, keccak256, PeerHostError } from '@peerhost/protocol'
import type { Context } from '../context.ts'
import type { ExactPayment } from '../pay/authorization.ts'
import type { PaidCall } from '../pay/payments.ts'
import { accept } from './accept.ts'
import type { CompletedCall } from './completed-call.ts'
import { type Call, dispatch, type StreamSink } from './dispatch.ts'

/** A call that was executed, paid for where it costs something, and whose receipt is promised to be anchored. */
export interface PerformedCall {
  call: CompletedCall
  /** There if the caller was charged. */
  paid?: PaidCall
}

/** Tells the worker that its receipt will be anchored; the answer, which somebody waits for, goes first. */
function notify({ pool }: Context, { receipt, accepted }: CompletedCall): void {
  setImmediate(() => pool.connection(receipt.worker)?.sendAcceptance(accepted!))
}

/** Promises the receipt of a call that is not charged; `meanwhile` is done while the disk writes it. */
async function promise(
  context: Context,
  completed: CompletedCall,
  meanwhile?: (call: CompletedCall) => void,
): Promise<CompletedCall> {
  const { accepted, record } = accept(context, completed)
  const kept = context.store.addReceipt(record)
  kept.catch(() => {}) // who waits below is told
  const call = { ...completed, accepted }
  try {
    meanwhile?.(call)
  } finally {
    await kept
    notify(context, call)
  }
  return call
}

export interface FreeCallOptions {
  /** Takes the response as it comes. */
  sink?: StreamSink
  /** Prepares what to do with the call, which counts when `performFree` resolves. */
  meanwhile?: (call: CompletedCall) => void
}

/** Executes a call that costs nothing. Throws what `dispatch` throws. */
export async function performFree(
  context: Context,
  call: Call,
  { sink, meanwhile }: FreeCallOptions = {},
): Promise<PerformedCall> {
  const completed = await dispatch(context, call, sink)
  return { call: await promise(context, completed, meanwhile) }
}

/**
 * Bytes of a priced answer's status and headers. They come again in the receipt's header, and all of them have to fit into
 * the 16 KB that common clients take: an answer that cannot be read is not charged.
 */
const MAX_PAID_HEAD = 4_096

/** Names the request that a payment is for: the service and what it is given. */
const bindingOf = ({ served, inputHash }: Call): Hex =>
  keccak256(fromHex(`${served.service.serviceId}${inputHash.slice(2)}`))

/**
 * Executes a call that costs something: reserves the payment, has the call executed, takes the money if the function
 * succeeded. `again`: the caller asks for an answer that he paid for earlier. `caller`: who sends bad payments at most so
 * often. Throws PH_PAY_*, PH_GATEWAY_RATE_LIMITED and what `dispatch` throws.
 */
export async function performPaid(
  context: Context,
  call: Call,
  payment: ExactPayment | undefined,
  again: boolean,
  caller: string,
): Promise<PerformedCall> {
  const { payments, metrics, badPayments } = context
  if (!payment) throw new PeerHostError('PH_PAY_REQUIRED', {})
  badPayments.check(caller)
  const opened = await payments.open(payment, call.served, bindingOf(call), again).catch((error) => {
    if (isPeerHostError(error, 'PH_PAY_INVALID')) badPayments.take(caller)
    throw error
  })
  if ('call' in opened) return { call: opened.call, paid: opened }
  const completed = await dispatch(context, { ...call, payer: opened.authorization.from }).catch(async (error) => {
    await payments.release(opened)
    throw error
  })
  if (completed.receipt.price === 0n) {
    await payments.release(opened)
    return { call: await promise(context, completed) }
  }
  if (completed.output.length > MAX_PAID_HEAD) {
    await payments.release(opened)
    const detail = `its headers have more than ${MAX_PAID_HEAD} bytes, which not every client can read`
    throw new PeerHostError('PH_RUN_BAD_RESPONSE', { detail })
  }
  const paid = await payments.settle(opened, completed)
  metrics.earned.inc(Number(completed.receipt.price) / 1e6)
  notify(context, paid.call)
  return { call: paid.call, paid }
}
