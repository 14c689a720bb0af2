# frozen_string_literal: true

Rails.application.routes.draw do
  resource :dashboard, only: :show
  resources :chats, only: %i[create show] do
    get :events, to: "events#show"
  end
end
