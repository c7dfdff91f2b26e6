import {
  type BatchLeaf,
  cidOfDigest,
  DAG_PB,
  type Domain,
  decodeBatchData,
  type Hex,
  hashMessage,
  receiptsTree,
} from '@peerhost/protocol'
import type { AnchoredBatch } from './chain-reader.ts'
import { fetchFile } from './fetch-file.ts'
import { failed, messageOf, passed, pending, timeText, type Verdict } from './verdict.ts'
import type { VerifyReceiptOptions } from './verify-receipt.ts'

/** Batches that are read in search of one receipt: the promise is minutes, a batch comes once a minute. */
const MAX_BATCHES = 60
/** Seconds by which clocks may differ: workers refuse more than half of it. */
const CLOCK_TOLERANCE = 60

/** Looks for a receipt in the batches that its gateway anchored since the request. */
export async function checkAnchored(
  options: Pick<VerifyReceiptOptions, 'receipt' | 'chain' | 'ipfsUrl' | 'signal' | 'fetch'>,
  receiptHash: Hex,
  domain: Domain,
): Promise<{ verdict: Verdict; batch?: AnchoredBatch }> {
  const { chain, receipt } = options
  const { gateway } = receipt.assignment
  const unreadable: string[] = []
  let read = 0
  for await (const batch of chain.batches(gateway, Number(receipt.request.clockMs / 1000n) - CLOCK_TOLERANCE)) {
    if (read++ === MAX_BATCHES) break
    let leaves: BatchLeaf[]
    try {
      const data = await fetchFile(cidOfDigest(batch.header.dataDigest, DAG_PB), options)
      leaves = decodeBatchData(data, (one) => hashMessage(domain, 'Receipt', one)).leaves
    } catch (error) {
      if (options.signal?.aborted) throw error
      unreadable.push(`batch ${batch.header.index}: ${messageOf(error)}`)
      continue
    }
    const leaf = leaves.find((one) => one.receiptHash === receiptHash)
    if (leaf) return { verdict: await checkBatch(options, batch, leaves, leaf), batch }
  }
  if (unreadable.length > 0)
    return { verdict: failed(`not found, and data cannot be read: ${unreadable.slice(0, 3).join('; ')}`) }
  const anchorBy = Number(receipt.acceptance.anchorBy)
  const until = timeText(anchorBy)
  return {
    verdict:
      Date.now() / 1000 > anchorBy
        ? failed(`not anchored, although promised until ${until}`)
        : pending(`not yet anchored; promised until ${until}`),
  }
}

async function checkBatch(
  { chain, receipt }: Pick<VerifyReceiptOptions, 'receipt' | 'chain'>,
  { header, anchoredAt }: AnchoredBatch,
  leaves: BatchLeaf[],
  leaf: BatchLeaf,
): Promise<Verdict> {
  const name = `batch ${header.index} of gateway ${header.gateway}`
  if (leaves.length !== header.count || receiptsTree(leaves).root !== header.receiptsRoot)
    return failed(`the data of ${name} is not what was anchored`)
  if (leaf.acceptance.paymentRef !== receipt.acceptance.paymentRef)
    return failed(`${name} holds the receipt with another payment`)
  if (header.index >= (await chain.voidFrom(header.gateway))) return failed(`${name} is void`)
  const finalAt = anchoredAt + Number(await chain.challengeWindow())
  const now = await chain.now()
  return passed(`in ${name}, one of ${header.count}, ${now > finalAt ? 'final' : `final in ${finalAt - now} s`}`)
}
