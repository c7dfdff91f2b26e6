import { createPayingFetch, type Payment, parseReceipt } from '@peerhost/client'
import { NETWORKS } from '@peerhost/protocol'

/** What the page is asked to call. */
export interface PageCall {
  url: string
  /** A test account's key to pay with; without one the call is plain `fetch`. */
  key?: `0x${string}`
  /** Atomic USDC. */
  maxPrice?: number
  /** Plain data, since it goes to the page as JSON. */
  init?: { method: string; headers: Record<string, string>; body?: string }
}

/** What the page saw: only what its script may read across origins. */
export interface PageAnswer {
  status: number
  body: string
  headers: Record<string, string>
  payments: { amount: string; success: boolean }[]
  receipt?: { worker: string; price: string }
}

/** Makes a call and shows its body. Runs in the browser. */
async function call({ url, key, maxPrice = 0, init }: PageCall): Promise<PageAnswer> {
  const payments: Payment[] = []
  const pay = createPayingFetch({
    signer: key,
    maxPrice: BigInt(maxPrice),
    networks: [NETWORKS.local],
    onPayment: (payment) => payments.push(payment),
  })
  const response = await (key ? pay : fetch)(url, init)
  const body = await response.text()
  document.querySelector('output')!.textContent = body
  const header = response.headers.get('peerhost-receipt')
  const receipt = header ? parseReceipt(header).receipt.receipt : undefined
  return {
    status: response.status,
    body,
    headers: Object.fromEntries(response.headers),
    payments: payments.map(({ amount, settlement }) => ({
      amount: String(amount),
      success: settlement?.success === true,
    })),
    receipt: receipt && { worker: receipt.worker, price: String(receipt.price) },
  }
}

Object.assign(globalThis, { call })
