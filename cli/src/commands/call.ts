import { accessSync, constants, existsSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { findNetwork, type NetworkConfig } from '@peerhost/chain'
import { createPayingFetch, type Payment } from '@peerhost/client'
import {
  decodeReceiptHeader,
  formatUsdc,
  isPeerHostError,
  NETWORKS,
  PeerHostError,
  parseUsdc,
  receiptToJson,
  type SignedReceipt,
} from '@peerhost/protocol'
import { httpFetch } from '../http/http-fetch.ts'
import { readInput } from '../http/read-input.ts'

export interface CallOptions {
  request?: string
  header?: string[]
  data?: string
  maxPrice: string
  network?: string
  save?: string
  json?: boolean
}

/** The network that payments are made on; a free call works without one. */
function networkOf(option: string | undefined): NetworkConfig | undefined {
  try {
    return findNetwork({
      cwd: process.cwd(),
      env: { PEERHOST_GATEWAY_URL: 'unused:', PEERHOST_RPC_URL: 'unused:', ...process.env },
      network: option,
    })
  } catch (error) {
    if (!option && isPeerHostError(error, 'PH_CONFIG_NETWORK_MISSING')) return undefined
    if (isPeerHostError(error, 'PH_CONFIG_INVALID') && option) return undefined // no contracts there: paying needs none
    throw error
  }
}

function requestHeaders(lines: string[] = []): Headers {
  const headers = new Headers()
  for (const line of lines) {
    const at = line.indexOf(':')
    if (at < 1) throw new PeerHostError('PH_CONFIG_INVALID', { detail: `the header "${line}" is not "Name: value"` })
    const name = line.slice(0, at).trim()
    headers.append(name.toLowerCase() === 'host' ? 'x-peerhost-host' : name, line.slice(at + 1).trim())
  }
  return headers
}

/** The receipt of an answer; a streamed one has it behind its body. */
function receiptOf(response: Response): SignedReceipt | undefined {
  const trailers = (response as Response & { trailers?: Record<string, string> }).trailers
  const header = response.headers.get('peerhost-receipt') ?? trailers?.['peerhost-receipt']
  return header ? decodeReceiptHeader(header) : undefined
}

/** `peerhost call URL`: the body on standard output, payment and receipt on standard error. */
export async function call(target: string, options: CallOptions): Promise<void> {
  const url = /^https?:\/\//.test(target) ? target : `http://${target}`
  if (!URL.canParse(url)) throw new PeerHostError('PH_CONFIG_INVALID', { detail: `"${target}" is not an address` })
  const maxPrice = parseUsdc(options.maxPrice)
  if (maxPrice === undefined)
    throw new PeerHostError('PH_CONFIG_INVALID', { detail: `--max-price ${options.maxPrice} is not an amount of USDC` })
  if (options.save) assertWritable(options.save)
  const network = networkOf(options.network)
  const body = options.data === undefined ? undefined : await readInput(options.data)
  const headers = requestHeaders(options.header)
  if (body && !headers.has('content-type')) headers.set('content-type', 'application/x-www-form-urlencoded')

  const payments: Payment[] = []
  const pay = createPayingFetch({
    signer: process.env.PEERHOST_PRIVATE_KEY ?? network?.accounts?.payer.privateKey,
    maxPrice,
    networks: [network?.info ?? NETWORKS.local],
    onPayment: (payment) => payments.push(payment),
    fetch: httpFetch,
  })
  let response: Response
  try {
    response = await pay(url, { method: options.request ?? (body ? 'POST' : 'GET'), headers, body, redirect: 'manual' })
  } catch (error) {
    if (isPeerHostError(error)) throw error
    const cause = (error as { cause?: Error }).cause
    throw new PeerHostError(
      'PH_GATEWAY_UNREACHABLE',
      { url: new URL(url).origin, detail: cause?.message || (error as Error).message },
      { cause: error },
    )
  }
  const answer = Buffer.from(await response.arrayBuffer())
  const receipt = receiptOf(response)
  const payment = payments.findLast(({ settlement }) => settlement?.success)

  if (options.json) {
    const { status } = response
    const paid = payment && {
      price: formatUsdc(payment.amount),
      payTo: payment.payTo,
      payer: payment.payer,
      transaction: payment.settlement?.transaction,
    }
    const text = JSON.stringify({
      status,
      headers: Object.fromEntries(response.headers),
      body: answer.toString('base64'),
      payment: paid,
      receipt: receipt && receiptToJson(receipt),
    })
    process.stdout.write(`${text}\n`)
  } else {
    process.stdout.write(answer)
    report(response, answer, payment, receipt)
  }
  if (response.status >= 400) process.exitCode = 1
  // Last, so that an answer that was paid for is shown even where it cannot be kept.
  if (options.save && receipt) save(options.save, receipt, body, answer)
  if (options.save && !receipt) {
    process.stderr.write('no receipt came with this answer: nothing was saved\n')
    process.exitCode = 1
  }
}

function report(
  response: Response,
  answer: Buffer,
  payment: Payment | undefined,
  receipt: SignedReceipt | undefined,
): void {
  const note = (text: string) => process.stderr.write(`${text}\n`)
  if (answer.length > 0 && answer.at(-1) !== 10 && process.stdout.isTTY) process.stdout.write('\n')
  note(`HTTP ${response.status} ${response.statusText}`.trim())
  if (payment)
    note(
      `paid ${formatUsdc(payment.amount)} USDC to ${payment.payTo}${payment.settlement?.transaction ? ` (transaction ${payment.settlement.transaction})` : ''}`,
    )
  if (receipt)
    note(
      `receipt of worker ${receipt.receipt.worker}, version ${receipt.receipt.version}, code ${receipt.receipt.codeDigest.slice(0, 18)}…`,
    )
}

const unwritable = (file: string, cause: unknown) =>
  new PeerHostError(
    'PH_CONFIG_INVALID',
    { detail: `--save ${file} cannot be written: ${(cause as Error).message}` },
    { cause },
  )

/** Looks before anything is paid for; throws PH_CONFIG_INVALID. */
function assertWritable(file: string): void {
  try {
    accessSync(existsSync(file) ? file : dirname(resolve(file)), constants.W_OK)
  } catch (cause) {
    throw unwritable(file, cause)
  }
}

/** Saves what `peerhost verify` needs: the header's JSON, and both bodies in base64. */
function save(file: string, receipt: SignedReceipt, requestBody: Uint8Array | undefined, body: Buffer): void {
  const saved = {
    ...receiptToJson(receipt),
    requestBody: Buffer.from(requestBody ?? []).toString('base64'),
    body: body.toString('base64'),
  }
  try {
    writeFileSync(file, `${JSON.stringify(saved, undefined, 2)}\n`, { mode: 0o600 })
  } catch (cause) {
    throw unwritable(file, cause)
  }
}
