//! The list of all feeds, searched by name.

use std::sync::{Arc, RwLock};

use crate::base::unpoisoned;

/// Something that has a name in defender.conf and in URLs.
pub trait Named {
    /// The name.
    fn name(&self) -> &str;
}

/// Feeds in the order of defender.conf. The whole list is replaced when that file changes.
pub struct FeedList<F> {
    feeds: RwLock<Arc<[Arc<F>]>>,
}

impl<F: Named> FeedList<F> {
    /// All feeds at this moment.
    pub fn all(&self) -> Arc<[Arc<F>]> {
        Arc::clone(&*unpoisoned(self.feeds.read()))
    }

    /// The feed with that name, or the first one when no name is given. Only feeds whose name is `allowed`
    /// are searched.
    pub fn find(&self, name: Option<&str>, allowed: impl Fn(&str) -> bool) -> Option<Arc<F>> {
        let is_it = |feed: &&Arc<F>| allowed(feed.name()) && name.is_none_or(|name| name == feed.name());
        self.all().iter().find(is_it).cloned()
    }

    /// Replaces all feeds by `feeds`.
    pub fn replace(&self, feeds: Vec<Arc<F>>) {
        *unpoisoned(self.feeds.write()) = feeds.into();
    }
}

impl<F> Default for FeedList<F> {
    fn default() -> Self {
        Self { feeds: RwLock::new(Arc::new([])) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Named for &'static str {
        fn name(&self) -> &str {
            self
        }
    }

    #[test]
    fn the_first_feed_is_the_one_without_a_name() {
        let list = FeedList::default();
        assert!(list.find(None, |_| true).is_none());
        list.replace(vec![Arc::new("yard"), Arc::new("front")]);
        let found = |name| list.find(name, |_| true).map(|feed| *feed);
        assert_eq!(found(None), Some("yard"));
        assert_eq!(found(Some("front")), Some("front"));
        assert_eq!(found(Some("attic")), None);
    }

    #[test]
    fn a_feed_that_is_not_allowed_is_none() {
        let list = FeedList::default();
        list.replace(vec![Arc::new("yard"), Arc::new("front")]);
        let found = |name| list.find(name, |name| name == "front").map(|feed| *feed);
        assert_eq!((found(None), found(Some("yard"))), (Some("front"), None));
    }
}
