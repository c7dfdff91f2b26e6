import {
  bytesToLatin1,
  type Domain,
  decodeInput,
  decodeResult,
  type FunctionResult,
  formatUsdc,
  type Hex,
  hashMessage,
  keccak256,
  recoverPure,
  resultCommit,
  type SignedReceipt,
  serviceId,
  specHash,
  ZERO_HASH,
} from '@peerhost/protocol'
import type { AnchoredBatch, ChainReader, RegisteredFunction } from './chain-reader.ts'
import { checkAnchored } from './check-anchored.ts'
import {
  CHECKS,
  type Check,
  type CheckName,
  failed,
  messageOf,
  passed,
  pending,
  timeText,
  type Verdict,
} from './verdict.ts'

export interface VerifyReceiptOptions {
  receipt: SignedReceipt
  /** Body of the answer, as received. */
  body: Uint8Array
  /** Body of the request; without it what was hashed of it is taken on trust. */
  requestBody?: Uint8Array
  chain: ChainReader
  /** Where batches' data is read, `<ipfsUrl>/ipfs/<cid>`; verified, so any trustless IPFS gateway will do. */
  ipfsUrl: string
  /** The caller's own payment; its reference must be the one that the gateway accepted. */
  payment?: { paymentRef: Hex; amount: bigint }
  /** What was called, as far as the caller knows. */
  service?: { owner: Hex; project: string; name?: string }
  signal?: AbortSignal
  fetch?: typeof globalThis.fetch
}

export interface VerifyReceiptResult {
  /** No check failed. */
  ok: boolean
  /** All checks, in the order of CHECKS. */
  checks: Check[]
  receiptHash: Hex
  function?: RegisteredFunction
  batch?: AnchoredBatch
}

/**
 * Checks everything that a receipt says without executing anything: that its messages belong together, that gateway and
 * worker signed them with keys that were theirs, that input and answer are the ones at hand, that code and price are the
 * registered ones, and that the receipt is in a batch on the chain. What cannot be reached (chain) throws; what does not
 * hold is a failed check.
 *
 * @throws PH_CHAIN_UNREACHABLE, PH_CHAIN_WRONG_NETWORK, PH_CHAIN_CONTRACT_MISSING
 */
export async function verifyReceipt(options: VerifyReceiptOptions): Promise<VerifyReceiptResult> {
  const { receipt, chain } = options
  const domain: Domain = { chainId: chain.chainId, verifyingContract: chain.coordinator }
  const hashes = {
    request: hashMessage(domain, 'Request', receipt.request),
    assignment: hashMessage(domain, 'Assignment', receipt.assignment),
    receipt: hashMessage(domain, 'Receipt', receipt.receipt),
    acceptance: hashMessage(domain, 'Acceptance', receipt.acceptance),
  }
  const registered = await chain.registeredFunction(receipt.receipt.serviceId, receipt.receipt.version)
  const anchored = await checkAnchored(options, hashes.receipt, domain)
  const result = checkResult(options)
  const verdicts: Record<CheckName, Verdict> = {
    hashes: checkHashes(receipt, hashes),
    'gateway signatures': await checkGateway(receipt, hashes, chain),
    'worker signature': await checkWorker(receipt, hashes, chain),
    epoch: await checkEpoch(receipt, chain),
    input: checkInput(options),
    result: result.verdict,
    price: checkPrice(receipt, registered, result.httpStatus),
    payment: checkPayment(options),
    function: await checkFunction(options, registered),
    anchored: anchored.verdict,
  }
  const checks = CHECKS.map((name) => ({ name, ...verdicts[name] }))
  return {
    ok: checks.every(({ ok }) => ok !== false),
    checks,
    receiptHash: hashes.receipt,
    function: registered,
    batch: anchored.batch,
  }
}

type Hashes = Record<'request' | 'assignment' | 'receipt' | 'acceptance', Hex>

function checkHashes({ request, assignment, receipt, acceptance }: SignedReceipt, hashes: Hashes): Verdict {
  if (assignment.requestHash !== hashes.request) return failed('the assignment is for another request')
  if (receipt.requestHash !== hashes.request) return failed('the receipt is for another request')
  if (receipt.assignmentHash !== hashes.assignment) return failed('the receipt is for another assignment')
  if (acceptance.receiptHash !== hashes.receipt) return failed('the acceptance is of another receipt')
  if (receipt.worker !== assignment.worker) return failed('the receipt is of another worker than the assignment')
  if (receipt.serviceId !== request.serviceId || receipt.version !== request.version)
    return failed('the receipt is for another function or version than the request')
  return passed('request, assignment, receipt and acceptance belong together')
}

/** Whose hot key signed a digest, in that epoch. */
async function signerOf(digest: Hex, signature: Hex, epoch: bigint, chain: ChainReader): Promise<Hex | undefined> {
  const key = recoverPure(digest, signature)
  return key && chain.hotKeyOwner(key, epoch)
}

async function checkGateway(
  { assignment, acceptance, receipt }: SignedReceipt,
  hashes: Hashes,
  chain: ChainReader,
): Promise<Verdict> {
  const { gateway } = assignment
  if ((await signerOf(hashes.assignment, assignment.signature, receipt.epoch, chain)) !== gateway)
    return failed(`the assignment is not signed by a hot key of gateway ${gateway}`)
  if ((await signerOf(hashes.acceptance, acceptance.signature, receipt.epoch, chain)) !== gateway)
    return failed(`the acceptance is not signed by a hot key of gateway ${gateway}`)
  return passed(`assignment and acceptance are signed by gateway ${gateway}`)
}

async function checkWorker({ receipt }: SignedReceipt, hashes: Hashes, chain: ChainReader): Promise<Verdict> {
  const signer = await signerOf(hashes.receipt, receipt.signature, receipt.epoch, chain)
  return signer === receipt.worker
    ? passed(`the receipt is signed by worker ${receipt.worker}`)
    : failed(`the receipt is not signed by a hot key of worker ${receipt.worker}`)
}

async function checkEpoch({ request, assignment, receipt }: SignedReceipt, chain: ChainReader): Promise<Verdict> {
  const epoch = request.clockMs / 1000n / (await chain.epochLength())
  if (receipt.epoch !== epoch || assignment.epoch !== epoch)
    return failed(`the request’s clock lies in epoch ${epoch}, the receipt says ${receipt.epoch}`)
  return passed(`epoch ${epoch}, ${timeText(Number(request.clockMs) / 1000)}`)
}

function checkInput({ receipt: { input, request }, requestBody }: VerifyReceiptOptions): Verdict {
  if (!input) return pending('the receipt carries no input: it was too large for the header')
  if (keccak256(input) !== request.inputHash) return failed('the input is not the one that was hashed')
  if (!requestBody) return passed('the input is the one that was hashed; its body was not at hand')
  try {
    const read = decodeInput(input, requestBody)
    const what = read.kind === 'http' ? `${read.request.method} ${read.request.path}` : 'the event'
    return passed(`${printable(what)} with this body is what was hashed`)
  } catch (error) {
    return failed(messageOf(error))
  }
}

function checkResult({ receipt: { receipt, output, salt, input }, body }: VerifyReceiptOptions): {
  verdict: Verdict
  httpStatus?: number
} {
  if (resultCommit(keccak256(output), salt, receipt.worker) !== receipt.resultCommit)
    return { verdict: failed('the output is not the one that the worker committed to') }
  let result: FunctionResult
  try {
    result = decodeResult(output, body)
  } catch (error) {
    const isUncheckable = body.length === 0 && input && isHead(input)
    return { verdict: isUncheckable ? pending('an answer to HEAD has no body to check') : failed(messageOf(error)) }
  }
  if (result.status !== receipt.status)
    return { verdict: failed(`the output has status ${result.status}, the receipt ${receipt.status}`) }
  const httpStatus = result.kind === 'http' ? result.response?.httpStatus : undefined
  return { verdict: passed('the answer is the one that the worker committed to'), httpStatus }
}

/** Canonical input of a HEAD request: CBOR of an array whose second part is the byte string HEAD. */
const isHead = (input: Uint8Array): boolean => bytesToLatin1(input.subarray(0, 13)).endsWith('http/1\x44HEAD')

function checkPrice(
  { request, receipt }: SignedReceipt,
  registered: RegisteredFunction | undefined,
  httpStatus = 0,
): Verdict {
  const { price, status } = receipt
  if (price > request.maxPrice)
    return failed(`${formatUsdc(price)} USDC is more than the ${formatUsdc(request.maxPrice)} agreed`)
  if (price === 0n) return passed('nothing was charged')
  if (status !== 0) return failed('a failed call was charged')
  if (httpStatus >= 400) return failed('an answer with an HTTP status of 400 or more was charged')
  if (registered && price !== registered.spec.price)
    return failed(`${formatUsdc(price)} USDC is not the registered price of ${formatUsdc(registered.spec.price)}`)
  return passed(`${formatUsdc(price)} USDC`)
}

function checkPayment({ receipt: { receipt, acceptance }, payment }: VerifyReceiptOptions): Verdict {
  const { paymentRef } = acceptance
  if (receipt.price === 0n)
    return paymentRef === ZERO_HASH
      ? passed('no payment was taken')
      : failed('nothing was charged, but a payment is named')
  if (paymentRef === ZERO_HASH) return failed('a price was charged, but no payment is named')
  if (!payment) return passed(`payment ${paymentRef}`)
  if (payment.paymentRef !== paymentRef) return failed('the acceptance names another payment than the one made')
  if (payment.amount !== receipt.price)
    return failed(`${formatUsdc(payment.amount)} USDC were paid, the receipt says ${formatUsdc(receipt.price)}`)
  return passed('the acceptance names the payment that was made')
}

async function checkFunction(
  { receipt: { receipt }, service, chain }: VerifyReceiptOptions,
  registered: RegisteredFunction | undefined,
): Promise<Verdict> {
  const commitment = await chain.specCommitment(receipt.serviceId, receipt.version)
  if (!commitment) return failed(`no version ${receipt.version} of this function is registered`)
  if (!registered) return failed('the registration’s event was not found')
  const { owner, project, spec } = registered
  const id = serviceId(owner, project, spec.name)
  if (specHash(spec) !== commitment || id !== receipt.serviceId)
    return failed('the registration’s event does not match its commitment')
  const name = `${printable(project)}/${printable(spec.name)} version ${receipt.version} of ${owner}`
  if (spec.codeDigest === ZERO_HASH) return failed(`${name} is retired`)
  if (receipt.codeDigest !== spec.codeDigest)
    return failed(`${name} has code ${spec.codeDigest}, the worker ran ${receipt.codeDigest}`)
  if (receipt.runtimeId !== spec.runtimeId)
    return failed(`${name} has runtime ${spec.runtimeId}, the worker used ${receipt.runtimeId}`)
  const isOther =
    service &&
    (service.owner.toLowerCase() !== owner || service.project !== project || (service.name ?? spec.name) !== spec.name)
  if (isOther) return failed(`${name} answered, not what was called`)
  return passed(`${name}, code ${spec.codeDigest}`)
}

/** Names come from whoever deployed. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e]+/g, '?').slice(0, 200)
