import { existsSync } from 'node:fs'
import { findNetwork } from '@peerhost/chain'
import {
  type Check,
  createChainReader,
  fetchFile,
  parseReceipt,
  type SavedReceipt,
  type VerifyReceiptResult,
  verifyReceipt,
} from '@peerhost/client'
import {
  cidOfDigest,
  DAG_PB,
  decodeBatchData,
  type Hex,
  hashMessage,
  PeerHostError,
  type PublishedRequest,
} from '@peerhost/protocol'
import { readFile, readInput } from '../http/read-input.ts'
import { type ExecutionCheck, executeReceipt } from './execute-receipt.ts'

export interface VerifyOptions {
  body?: string
  execute?: boolean
  network?: string
  json?: boolean
}

async function readReceipt(source: string, options: VerifyOptions): Promise<SavedReceipt & { body: Uint8Array }> {
  const text =
    source === '-' ? (await readInput('@-')).toString() : existsSync(source) ? readFile(source).toString() : source
  if (text.length < 200 && !existsSync(source))
    throw new PeerHostError('PH_FILE_UNREADABLE', { file: source, detail: 'there is no such file' })
  const saved = parseReceipt(text)
  const body = options.body ? new Uint8Array(readFile(options.body)) : saved.body
  if (!body)
    throw new PeerHostError('PH_RECEIPT_INVALID', { detail: 'the answer’s body is missing: name it with --body FILE' })
  return { ...saved, body }
}

/**
 * `peerhost verify RECEIPT`: exit 1 if a check fails; with `--execute` exit 2 if none does, but the request could not be run
 * again for comparison. That a batch is not anchored yet is no failure.
 */
export async function verify(source: string, options: VerifyOptions): Promise<void> {
  const saved = await readReceipt(source, options)
  const network = findNetwork({ cwd: process.cwd(), env: process.env, network: options.network })
  const { info, contracts, rpcUrl, fromBlock, gatewayUrl: ipfsUrl } = network
  const chain = await createChainReader({ rpcUrl, chainId: info.chainId, contracts, fromBlock })
  const result = await verifyReceipt({ ...saved, chain, ipfsUrl })
  const checks: (Check | ExecutionCheck)[] = [...result.checks]
  if (options.execute) {
    const coordinator = contracts.ExecutionCoordinator
    checks.push(await execute(saved, result, { ipfsUrl, chainId: info.chainId, coordinator }))
  }
  const holds = checks.every((check) => check.ok !== false)
  const isCompared = checks.every((check) => check.name !== 'execution' || check.ok !== 'pending')
  const ok = holds && isCompared
  if (options.json) process.stdout.write(`${JSON.stringify({ ok, receiptHash: result.receiptHash, checks })}\n`)
  else print(checks, verdictOf(holds, isCompared))
  if (!ok) process.exitCode = holds ? 2 : 1
}

interface Place {
  ipfsUrl: string
  chainId: number
  coordinator: Hex
}

async function execute(
  saved: SavedReceipt,
  { function: registered, batch, receiptHash }: VerifyReceiptResult,
  place: Place,
): Promise<ExecutionCheck> {
  const { receipt } = saved
  if (!registered) return { name: 'execution', ok: false, detail: 'the function is not registered' }
  const published =
    receipt.input && saved.requestBody ? undefined : await findPublished(batch?.header.dataDigest, receiptHash, place)
  const input = receipt.input ?? published?.input
  if (!input)
    return {
      name: 'execution',
      ok: 'pending',
      detail: 'the request is not at hand: its input was too large for the header',
    }
  return executeReceipt({
    receipt,
    input,
    requestBody: saved.requestBody ?? published?.body ?? new Uint8Array(),
    registered,
    ...place,
  })
}

/** The request of a `public` service's receipt, as its batch publishes it. */
async function findPublished(
  dataDigest: Hex | undefined,
  receiptHash: Hex,
  { ipfsUrl, chainId, coordinator }: Place,
): Promise<PublishedRequest | undefined> {
  if (!dataDigest) return undefined
  const data = await fetchFile(cidOfDigest(dataDigest, DAG_PB), { ipfsUrl })
  const domain = { chainId, verifyingContract: coordinator }
  const { leaves } = decodeBatchData(data, (receipt) => hashMessage(domain, 'Receipt', receipt))
  return leaves.find((leaf) => leaf.receiptHash === receiptHash)?.published
}

const MARKS = new Map<Check['ok'], string>([
  [true, 'ok'],
  [false, 'FAILED'],
  ['pending', 'open'],
])

const verdictOf = (holds: boolean, isCompared: boolean): string => {
  if (!holds) return 'The receipt does not hold.'
  return isCompared ? 'The receipt holds.' : 'The receipt holds; its result was not compared.'
}

function print(checks: readonly (Check | ExecutionCheck)[], verdict: string): void {
  for (const check of checks)
    process.stdout.write(`${MARKS.get(check.ok)!.padEnd(7)} ${check.name.padEnd(19)} ${check.detail}\n`)
  process.stdout.write(`${verdict}\n`)
}
