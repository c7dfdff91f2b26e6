export type { PaymentNetwork, SpendPolicy } from './payment/choose-offer.ts'
export { createPayingFetch, type PayingFetchOptions, type Payment } from './payment/create-paying-fetch.ts'
export type { EthersLikeSigner, PaymentSigner, ViemLikeSigner } from './payment/payment-signer.ts'
