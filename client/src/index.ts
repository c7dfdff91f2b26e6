export type { PaymentNetwork, SpendPolicy } from './payment/choose-offer.ts'
export { createPayingFetch, type PayingFetchOptions, type Payment } from './payment/create-paying-fetch.ts'
export type { EthersLikeSigner, PaymentSigner, ViemLikeSigner } from './payment/payment-signer.ts'
export {
  type AnchoredBatch,
  type ChainReader,
  type ChainReaderOptions,
  createChainReader,
  type RegisteredFunction,
} from './receipt/chain-reader.ts'
export { type FetchFileOptions, fetchFile } from './receipt/fetch-file.ts'
export { parseReceipt, type SavedReceipt } from './receipt/parse-receipt.ts'
export { CHECKS, type Check, type CheckName } from './receipt/verdict.ts'
export { type VerifyReceiptOptions, type VerifyReceiptResult, verifyReceipt } from './receipt/verify-receipt.ts'
