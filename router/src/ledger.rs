//! The ledger: every account's balance, folded from entries alone.

use foldhash::HashMap;

use crate::id::AccountId;
use crate::money::Currency;
use crate::posting::Entry;

/// The balances of all accounts that an entry ever named.
///
/// Units: minor units, credits less debits; the balances of one currency sum to zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    balances: HashMap<(AccountId, Currency), i128>,
}

/// One account in one currency.
///
/// Units: minor units, credits less debits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountBalance {
    /// The account.
    pub account: AccountId,
    /// The currency.
    pub currency: Currency,
    /// What it has.
    pub balance_minor: i128,
}

impl Ledger {
    /// Takes an entry.
    pub fn post(&mut self, entry: &Entry) {
        for line in entry.lines() {
            let account = (line.account, line.amount.currency);
            *self.balances.entry(account).or_default() += line.credit_minor();
        }
    }

    /// What an account has in a currency, in minor units; zero where no entry named it.
    pub fn balance(&self, account: AccountId, currency: Currency) -> i128 {
        self.balances.get(&(account, currency)).copied().unwrap_or(0)
    }

    /// Every account, by name and currency.
    pub fn accounts(&self) -> Vec<AccountBalance> {
        let mut accounts: Vec<AccountBalance> = self
            .balances
            .iter()
            .map(|((account, currency), balance)| AccountBalance {
                account: *account,
                currency: *currency,
                balance_minor: *balance,
            })
            .collect();
        accounts.sort_unstable();
        accounts
    }

    /// The trial balance: the sum over all accounts of each currency, by currency. All are zero
    /// where every entry balanced.
    pub fn trial_balance(&self) -> Vec<(Currency, i128)> {
        let mut sums: Vec<(Currency, i128)> = Vec::new();
        for ((_, currency), balance) in &self.balances {
            match sums.iter_mut().find(|sum| sum.0 == *currency) {
                Some(sum) => sum.1 += balance,
                None => sums.push((*currency, *balance)),
            }
        }
        sums.sort_unstable();
        sums
    }
}

/// The ledger of balances that were folded before.
impl FromIterator<AccountBalance> for Ledger {
    fn from_iter<T: IntoIterator<Item = AccountBalance>>(accounts: T) -> Self {
        let mut ledger = Self::default();
        ledger.extend(accounts);
        ledger
    }
}

/// Adds balances, such as those of another lane.
impl Extend<AccountBalance> for Ledger {
    fn extend<T: IntoIterator<Item = AccountBalance>>(&mut self, accounts: T) {
        for AccountBalance { account, currency, balance_minor } in accounts {
            *self.balances.entry((account, currency)).or_default() += balance_minor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::FloatRef;
    use crate::money::Money;
    use crate::posting::top_up;
    use crate::testing::{currency, pesos};

    #[test]
    fn balances_are_credits_less_debits_and_sum_to_zero() {
        let float = FloatRef::new("1").unwrap();
        let mut ledger = Ledger::default();
        for minor in [500, -200] {
            ledger.post(&top_up(&float, pesos(minor)).unwrap());
        }
        ledger.post(&top_up(&float, Money::new(7, currency("USD"))).unwrap());
        let printed: Vec<String> = ledger
            .accounts()
            .iter()
            .map(|it| format!("{} {} {}", it.account, it.currency, it.balance_minor))
            .collect();
        assert_eq!(
            printed,
            ["float:1 MXN 300", "float:1 USD 7", "funding:1 MXN -300", "funding:1 USD -7"]
        );
        assert_eq!(ledger.trial_balance(), [(currency("MXN"), 0), (currency("USD"), 0)]);
        assert_eq!(ledger.accounts().into_iter().collect::<Ledger>(), ledger);
    }
}
