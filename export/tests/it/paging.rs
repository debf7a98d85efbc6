//! Pages, sorts and cursors, the same on all databases.
//!
//! Every sort field of every entity is walked in both directions; what is found page by page must be
//! what one large page shows.

use std::collections::BTreeSet;

use ringflow_core::record::intent::of;
use ringflow_export::{
    Cell, Entity, Filter, Literal, Op, PageStart, Queries, QueriesOptions, Query, QueryError, Row,
    Sort,
};

use super::database::{Db, block_on};
use super::export::export;
use super::records::{Scenario, text_value};
use super::search::{both, is, op, text};

async fn walk(queries: &Queries, query: &Query) -> Vec<Row> {
    let mut query = query.clone();
    let mut found = Vec::new();
    loop {
        let page = queries.search(&query).await.unwrap();
        if page.items.is_empty() {
            assert!(page.start_cursor.is_none() && page.end_cursor.is_none());
            return found;
        }
        match &query.page.start {
            PageStart::Before(_) => {
                found.splice(0..0, page.items);
                query.page.start = PageStart::Before(page.start_cursor.unwrap());
            }
            PageStart::From(_) | PageStart::After(_) => {
                found.extend(page.items);
                query.page.start = PageStart::After(page.end_cursor.unwrap());
            }
        }
    }
}

#[test]
fn pages_add_up_in_both_directions_for_every_sort_field() {
    both(async |queries, _| {
        let mut absent = BTreeSet::new();
        for entity in Entity::ALL {
            for field in entity.sort_fields() {
                for descending in [false, true] {
                    let mut query = Query::of(*entity);
                    query.sort = vec![Sort {
                        field: field.into(),
                        descending,
                    }];
                    let whole = queries.search(&query).await.unwrap();
                    if whole.items.is_empty() {
                        absent.insert(format!("{entity:?}"));
                        continue;
                    }
                    query.page.limit = 16;
                    assert_eq!(
                        walk(queries, &query).await,
                        whole.items,
                        "{entity:?} {field}"
                    );
                    // From behind the last, backwards; the last itself is not before itself.
                    query.page.start = PageStart::Before(whole.end_cursor.clone().unwrap());
                    let before = &whole.items[..whole.items.len() - 1];
                    assert_eq!(walk(queries, &query).await, before, "{entity:?} {field}");
                    query.page.start = PageStart::From(3);
                    let offset = queries.search(&query).await.unwrap();
                    let from = whole.items.len().min(3);
                    let to = whole.items.len().min(19);
                    assert_eq!(offset.items, whole.items[from..to]);
                    assert_eq!(offset.total, whole.total);
                    nulls_are_lowest(&whole.items, field, descending);
                }
            }
        }
        assert!(absent.is_empty(), "nothing of {absent:?} is there");
    });
}

fn nulls_are_lowest(items: &[Row], field: &str, descending: bool) {
    let mut nulls: Vec<bool> = items
        .iter()
        .filter_map(|item| item.get(field))
        .map(|cell| *cell == Cell::Null)
        .collect();
    if descending {
        nulls.reverse();
    }
    assert!(nulls.is_sorted_by(|a, b| a >= b), "{field}");
}

#[test]
fn sorting_is_by_bytes_and_by_value() {
    both(async |queries, _| {
        let mut query = Query::of(Entity::ProcessInstance);
        query.sort = vec![Sort {
            field: "businessId".into(),
            descending: false,
        }];
        let page = queries.search(&query).await.unwrap();
        let ids: Vec<&Cell> = page
            .items
            .iter()
            .map(|item| item.get("businessId").unwrap())
            .collect();
        assert_eq!(ids[0], &Cell::Text(r"50%_off\*?['".into()));
        assert_eq!(ids[2], &Cell::Text("order-1".into()));
        assert_eq!(ids[3], &Cell::Text("order-10".into()));
    });
}

#[test]
fn foreign_cursors_fields_and_values_are_refused() {
    both(async |queries, _| {
        let mut query = Query::of(Entity::ProcessInstance);
        let cursor = queries.search(&query).await.unwrap().end_cursor.unwrap();
        for bad in [
            "", "%%%", "e30=", "WzFd!", "W10=", "WyJhIl0=", "W251bGxd", "WzEsMl0=",
        ] {
            query.page.start = PageStart::After(bad.into());
            assert_eq!(
                queries.search(&query).await,
                Err(QueryError::BadCursor),
                "{bad}"
            );
        }
        // A cursor belongs to its sort.
        query.page.start = PageStart::After(cursor);
        query.sort = vec![Sort {
            field: "state".into(),
            descending: false,
        }];
        assert_eq!(queries.search(&query).await, Err(QueryError::BadCursor));
        let refuse = async |filter: Filter| {
            let query = Query {
                filter,
                ..Query::of(Entity::ProcessInstance)
            };
            queries.search(&query).await.unwrap_err()
        };
        let bad_field = |error| matches!(error, QueryError::InvalidField { .. });
        let bad_value = |error| matches!(error, QueryError::InvalidValue { .. });
        assert!(bad_field(
            refuse(is("state; DROP TABLE job", text("x"))).await
        ));
        assert!(bad_field(
            refuse(op("hasIncident", Op::In, vec![Literal::Bool(true)])).await
        ));
        assert!(bad_field(
            refuse(op("state", Op::Gt, vec![text("A")])).await
        ));
        assert!(bad_field(
            refuse(op("processInstanceKey", Op::Like, vec![text("1*")])).await
        ));
        assert!(bad_value(
            refuse(is("processInstanceKey", text("1 OR 1=1"))).await
        ));
        assert!(bad_value(refuse(is("startDate", text("yesterday"))).await));
        assert!(bad_value(
            refuse(op("endDate", Op::Exists, vec![text("yes")])).await
        ));
        let mut deep = is("state", text("x"));
        for _ in 0..40 {
            deep = Filter::Any(vec![deep]);
        }
        assert!(matches!(refuse(deep).await, QueryError::TooLarge { .. }));
        let many = vec![Literal::Int(1); 20_001];
        assert!(matches!(
            refuse(op("processInstanceKey", Op::In, many)).await,
            QueryError::TooLarge { .. }
        ));
        let sort = Query {
            sort: vec![Sort {
                field: "tags".into(),
                descending: false,
            }],
            ..Query::of(Entity::ProcessInstance)
        };
        assert!(bad_field(queries.search(&sort).await.unwrap_err()));
    });
}

#[test]
fn counts_stop_at_ten_thousand() {
    let db = Db::sqlite();
    let mut scenario = Scenario::new(1);
    for _ in 0..10_050 {
        let key = scenario.key();
        let variable = scenario.variable(key, key, "n", text_value("v"));
        scenario.event(key, of::Variable::Created, variable);
    }
    export(&db, &[&scenario]);
    block_on(async {
        let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
        let page = queries.search(&Query::of(Entity::Variable)).await.unwrap();
        assert_eq!(
            (page.items.len(), page.total, page.has_more),
            (100, 10_000, true)
        );
        let mut query = Query::of(Entity::Variable);
        query.page.start = PageStart::From(10_040);
        let page = queries.search(&query).await.unwrap();
        assert_eq!(
            (page.items.len(), page.total, page.has_more),
            (10, 10_000, true)
        );
        query.page.start = PageStart::From(1 << 40);
        assert!(queries.search(&query).await.unwrap().items.is_empty());
    });
}
