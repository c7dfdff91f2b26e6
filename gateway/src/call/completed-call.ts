import { deserialize, serialize } from 'node:v8'
import type {
  Acceptance,
  Assignment,
  BatchLeaf,
  FunctionResult,
  Hex,
  Receipt,
  Request,
  SignedReceipt,
} from '@peerhost/protocol'

/** A promise to anchor, signed. */
export interface SignedAcceptance {
  acceptance: Acceptance
  signature: Hex
}

/** A call that a worker answered with a receipt that holds. */
export interface CompletedCall {
  request: Request
  requestHash: Hex
  assignment: Assignment
  assignmentSignature: Hex
  receipt: Receipt
  receiptHash: Hex
  receiptSignature: Hex
  salt: Hex
  /** Canonical bytes behind inputHash. */
  input: Uint8Array
  /** The request's body, of `public` services only: it is published with the batch. */
  published?: Uint8Array
  /** Canonical bytes behind resultHash. */
  output: Uint8Array
  /** The response's body, or the event's result. */
  body: Uint8Array
  result: FunctionResult
  start: 'forked' | 'cold'
  /** PH_RUN_* code of a status that is not 0, as the worker tells it. */
  errorCode?: string
  /** Milliseconds from the first dispatch to the result, without the run itself. */
  dispatchMs: number
  runMs: number
  /** There once it was accepted. */
  accepted?: SignedAcceptance
}

/** Writes a completed call, to keep it until it is delivered. */
export const encodeCompletedCall = (call: CompletedCall): Uint8Array => serialize(call)

/** Reads what `encodeCompletedCall` wrote. */
export const decodeCompletedCall = (bytes: Uint8Array): CompletedCall => deserialize(bytes) as CompletedCall

/** What the caller gets of an accepted call. */
export const signedReceiptOf = (call: CompletedCall, { acceptance, signature }: SignedAcceptance): SignedReceipt => ({
  request: call.request,
  assignment: { ...call.assignment, signature: call.assignmentSignature },
  receipt: { ...call.receipt, signature: call.receiptSignature },
  acceptance: { ...acceptance, signature },
  salt: call.salt,
  input: call.input,
  output: call.output,
})

/** What the batch gets of an accepted call. */
export const leafOf = (call: CompletedCall, { acceptance, signature }: SignedAcceptance): BatchLeaf => ({
  receiptHash: call.receiptHash,
  receipt: call.receipt,
  receiptSignature: call.receiptSignature,
  acceptance,
  acceptanceSignature: signature,
  ...(call.published && {
    published: {
      request: call.request,
      assignment: call.assignment,
      assignmentSignature: call.assignmentSignature,
      input: call.input,
      body: call.published,
    },
  }),
})
